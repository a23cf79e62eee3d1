/*
 * A client's hello before GnuTLS reads it: whether its version and its name are ours to serve, and
 * which tickets are good in it.
 */
#include <string.h>

#include "base/clock.h"
#include "tunnel/tls_private.h"
#include "tunnel/tls_tickets.h"

/* What of a hello counts here. */
struct hello {
	const uint8_t *names; /* server_name, as it stands; bytes 0: none */
	size_t names_bytes;
	const uint8_t *protocols; /* the list of ALPN, each behind its length */
	size_t protocols_bytes;
	bool is_sha384; /* of the cipher suite that TLS 1.3 will choose */
};

enum { EXTENSION_SERVER_NAME = 0, EXTENSION_ALPN = 16 };

static int
find_extension(void *arg, unsigned type, const unsigned char *data, unsigned bytes)
{
	struct hello *hello = arg;
	if (type == EXTENSION_SERVER_NAME) {
		hello->names = data;
		hello->names_bytes = bytes;
	}
	if (type == EXTENSION_ALPN && bytes >= 2) {
		hello->protocols = data + 2;
		hello->protocols_bytes = bytes - 2;
	}
	return 0;
}

static bool
offers_protocol(const struct hello *hello, const char *protocol)
{
	const uint8_t *at = hello->protocols;
	size_t left = hello->protocols_bytes, wanted = strlen(protocol);
	while (left > 0 && at[0] < left) {
		size_t bytes = at[0];
		if (bytes == wanted && memcmp(at + 1, protocol, bytes) == 0)
			return true;
		at += 1 + bytes;
		left -= 1 + bytes;
	}
	return false;
}

/* The index of the one that GnuTLS will choose, by our order; if none, that of the list's end. */
static size_t
find_protocol(const struct tls *tls, const struct hello *hello)
{
	const char *const *names = tls->config->settings.alpn;
	size_t index = 0;
	while (names && names[index] && !offers_protocol(hello, names[index]))
		index++;
	return index;
}

/* By our order of cipher suites: AES-128-GCM, AES-256-GCM, ChaCha20.  GnuTLS would take a ticket first, and
 * then find no suite with its hash.  RFC 8446 4.1.2: version, random and session id stand before them. */
static bool
chooses_sha384(const gnutls_datum_t *message)
{
	enum { SESSION_ID = 2 + 32, AES_128_GCM_SHA256 = 0x1301, AES_256_GCM_SHA384 = 0x1302 };
	const uint8_t *data = message->data;
	size_t at = message->size > SESSION_ID ? SESSION_ID + 1u + data[SESSION_ID] : message->size;
	bool has_sha384 = false;
	if (at + 2 > message->size)
		return false;
	size_t bytes = (size_t)data[at] << 8 | data[at + 1], end = at + 2 + bytes;
	for (at += 2; at + 2 <= end && end <= message->size; at += 2) {
		unsigned suite = (unsigned)data[at] << 8 | data[at + 1];
		if (suite == AES_128_GCM_SHA256)
			return false;
		has_sha384 |= suite == AES_256_GCM_SHA384;
	}
	return has_sha384;
}

static int
set_ticket_key(struct tls *tls, const struct hello *hello, size_t protocol)
{
	const char *const *names = tls->config->settings.alpn;
	const char *name = names ? names[protocol] : NULL;
	const struct tls_tickets_scope scope = { hello->names, hello->names_bytes, name ? name : "",
		hello->is_sha384 };
	uint8_t key[TLS_TICKETS_KEY];
	tls_tickets_key(tls->config->settings.tickets, &scope, clock_ms(), key);
	gnutls_db_set_cache_expiration(tls->session, TLS_TICKETS_LIFE_S);
	int got =
	    gnutls_session_ticket_enable_server(tls->session, &(gnutls_datum_t){ key, sizeof key });
	bytes_wipe(key, sizeof key);
	return got;
}

/* Before GnuTLS looks at the tickets in the hello.  The new ones are sealed under the same key, which GnuTLS
 * takes once: after a retry request the hello must be as before (RFC 8446 4.1.2), or its ticket would be
 * good for another protocol. */
static int
allow_tickets(struct tls *tls, const gnutls_datum_t *message)
{
	struct hello hello = { .names = (const uint8_t *)"", .is_sha384 = chooses_sha384(message) };
	if (!tls->config->settings.tickets)
		return 0;
	/* Without them nobody knows what a ticket would be bound to. */
	if (gnutls_ext_raw_parse(
		&hello, find_extension, message, GNUTLS_EXT_RAW_FLAG_TLS_CLIENT_HELLO) < 0)
		return tls->ticket_protocol == 0 ? 0 : GNUTLS_E_RECEIVED_ILLEGAL_PARAMETER;
	size_t protocol = find_protocol(tls, &hello);
	bool is_second = tls->ticket_protocol != 0, is_same = tls->ticket_protocol == 1 + protocol;
	tls->ticket_protocol = (uint8_t)(1 + protocol);
	if (!is_second)
		return set_ticket_key(tls, &hello, protocol);
	return is_same ? 0 : GNUTLS_E_RECEIVED_ILLEGAL_PARAMETER;
}

enum { EXTENSION_SUPPORTED_VERSIONS = 43 };

struct version_search {
	const struct tls_settings *settings;
	bool is_vain;
};

/* Whether a list of supported_versions (RFC 8446, 4.2.1) has one that is spoken here; what is no list
 * is GnuTLS's to refuse. */
static int
find_version(void *arg, unsigned type, const unsigned char *data, unsigned bytes)
{
	enum { TLS12 = 0x0303, TLS13 = 0x0304 };
	struct version_search *search = arg;
	const struct tls_settings *settings = search->settings;
	bool has_any = type != EXTENSION_SUPPORTED_VERSIONS || bytes < 3;
	for (unsigned i = 1; i + 1 < bytes && !has_any; i += 2) {
		unsigned version = (unsigned)data[i] << 8 | data[i + 1];
		has_any = (version == TLS12 && settings->oldest != TLS_VERSION_13) ||
		    (version == TLS13 && settings->newest != TLS_VERSION_12);
	}
	search->is_vain |= !has_any;
	return 0;
}

/* GnuTLS looks for a cipher suite before it says that a version is missing.  It serves a hello whose
 * legacy_version is 4 point something, but does not list its extensions. */
static bool
offers_our_version(struct tls *tls, const gnutls_datum_t *message)
{
	struct version_search search = { &tls->config->settings, false };
	if (!tls->config->purpose->alpn)
		gnutls_ext_raw_parse(
		    &search, find_version, message, GNUTLS_EXT_RAW_FLAG_TLS_CLIENT_HELLO);
	return !search.is_vain;
}

/* Each hello by itself: GnuTLS keeps the first one's name when a second hello has none. */
int
tls_judge_hello(struct tls *tls, const gnutls_datum_t *message)
{
	tls->heard_hello = true;
	if (!offers_our_version(tls, message))
		return GNUTLS_E_UNSUPPORTED_VERSION_PACKET;
	tls->hello_was_judged = tls->hooks.judge_hello != NULL;
	if (tls->hooks.judge_hello &&
	    tls_object(tls, tls->hooks.judge_hello(tls->hooks.arg, message->data, message->size)) <
		0)
		return GNUTLS_E_UNRECOGNIZED_NAME;
	return allow_tickets(tls, message);
}
