/* Looks for a few values in the lists of a hello. */
#include "agent/hello_facts.h"

#include "sni/clienthello.h"
#include "tunnel/tls.h"

static bool
lists(struct clienthello_vector list, const uint8_t *message, uint16_t wanted)
{
	uint16_t value;

	while (clienthello_next_u16(&list, message, &value))
		if (value == wanted)
			return true;
	return false;
}

/* RFC 8446, 4.2.1: where there is a list of versions, nothing else counts. */
static bool
offers_tls12(const struct clienthello *hello, const uint8_t *message)
{
	enum { TLS12 = 0x0303 };

	return hello->supported_versions.bytes > 0
	    ? lists(hello->supported_versions, message, TLS12)
	    : hello->legacy_version >= TLS12;
}

void
hello_facts_fill(struct tls_hello *out, const struct clienthello *hello)
{
	enum { AES_128_GCM_SHA256 = 0x1301, AES_256_GCM_SHA384 = 0x1302 };

	out->tls12 = offers_tls12(hello, out->message);
	out->tls13 = hello->tls13;
	out->aes_128 = lists(hello->cipher_suites, out->message, AES_128_GCM_SHA256);
	out->aes_256 = lists(hello->cipher_suites, out->message, AES_256_GCM_SHA384);
	while (out->alpn && out->alpn[out->protocol] &&
	    !clienthello_offers_alpn(hello, out->message, out->alpn[out->protocol]))
		out->protocol++;
}
