/* Reads, makes and compares pins of public keys. */
#include "pki/spki_pin.h"

#include <stdio.h>
#include <string.h>

#include <nettle/sha2.h>

#include "base/units.h"
#include "pki/x509.h"

bool
spki_pin_parse(struct spki_pin *pin, const char *text)
{
	return hex_decode(pin->digest, sizeof pin->digest, text);
}

bool
spki_pin_is(const char *text, char error[256])
{
	struct spki_pin pin;

	if (spki_pin_parse(&pin, text))
		return true;
	snprintf(error, 256,
	    "is not the SHA-256 of a public key in 64 hexadecimal digits; take spki_sha256 of "
	    "`valise-pki show`, or openssl x509 -noout -pubkey | openssl pkey -pubin -outform DER | "
	    "sha256sum");
	return false;
}

bool
spki_pin_of(struct spki_pin *pin, struct der certificate)
{
	struct sha256_ctx sha;
	struct x509 x509;
	const char *why;

	if (!x509_parse(&x509, certificate, &why))
		return false;
	sha256_init(&sha);
	sha256_update(&sha, x509.spki.bytes, x509.spki.data);
	sha256_digest(&sha, sizeof pin->digest, pin->digest);
	return true;
}

bool
spki_pin_equals(const struct spki_pin *a, const struct spki_pin *b)
{
	return memcmp(a->digest, b->digest, sizeof a->digest) == 0;
}

const char *
spki_pin_text(const struct spki_pin *pin, char out[SPKI_PIN_TEXT])
{
	return hex_encode(out, pin->digest, sizeof pin->digest);
}
