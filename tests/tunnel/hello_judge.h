/*
 * A judge of hellos that lets every name pass and fills in what TLS wants to know, for tests of
 * tunnel/, which see no reader of hellos.  It believes what a client of GnuTLS writes.
 */
#ifndef TESTS_TUNNEL_HELLO_JUDGE_H
#define TESTS_TUNNEL_HELLO_JUDGE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <gnutls/gnutls.h>

#include "tunnel/tls.h"

/* One name at a time, of one thread. */
static char hello_judge_name[256];

static inline unsigned
hello_judge_u16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

static inline bool
hello_judge_lists(const uint8_t *list, size_t bytes, const char *protocol)
{
	for (size_t at = 0; at < bytes; at += 1u + list[at])
		if (list[at] == strlen(protocol) && memcmp(list + at + 1, protocol, list[at]) == 0)
			return true;
	return false;
}

static inline int
hello_judge_on_extension(void *arg, unsigned type, const unsigned char *data, unsigned bytes)
{
	enum { SERVER_NAME = 0, ALPN = 16, SUPPORTED_VERSIONS = 43 };
	struct tls_hello *hello = arg;
	if (type == SERVER_NAME && bytes > 5)
		snprintf(hello_judge_name, sizeof hello_judge_name, "%.*s", (int)(bytes - 5), data + 5);
	if (type == ALPN)
		for (hello->protocol = 0; hello->alpn && hello->alpn[hello->protocol] &&
		     !hello_judge_lists(data + 2, bytes - 2, hello->alpn[hello->protocol]);)
			hello->protocol++;
	if (type == SUPPORTED_VERSIONS) {
		hello->tls12 = hello->tls13 = false;
		for (unsigned i = 1; i + 1 < bytes; i += 2) {
			hello->tls12 |= hello_judge_u16(data + i) == 0x0303;
			hello->tls13 |= hello_judge_u16(data + i) == 0x0304;
		}
	}
	return 0;
}

static inline unsigned
hello_judge(void *arg, struct tls_hello *hello)
{
	enum { SESSION_ID = 2 + 32 };
	const gnutls_datum_t message = { (uint8_t *)(uintptr_t)hello->message, (unsigned)hello->bytes };
	const uint8_t *suites = hello->message + SESSION_ID + 1 + hello->message[SESSION_ID];
	(void)arg;
	for (unsigned i = 2; i < 2 + hello_judge_u16(suites); i += 2) {
		hello->aes_128 |= hello_judge_u16(suites + i) == 0x1301;
		hello->aes_256 |= hello_judge_u16(suites + i) == 0x1302;
	}
	while (hello->alpn && hello->alpn[hello->protocol])
		hello->protocol++;
	hello->tls12 = hello_judge_u16(hello->message) >= 0x0303;
	hello_judge_name[0] = '\0';
	hello->name = hello_judge_name;
	gnutls_ext_raw_parse(
	    hello, hello_judge_on_extension, &message, GNUTLS_EXT_RAW_FLAG_TLS_CLIENT_HELLO);
	return 0;
}

#endif
