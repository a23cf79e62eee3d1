/*
 * Public keys as people pin them: the SHA-256 of a SubjectPublicKeyInfo (RFC 7469, 2.4), which stays
 * the same when a certificate is renewed with its key.  In text it has 64 hexadecimal digits, as
 * `valise-pki show` tells them as "spki_sha256", and so does
 *
 *	openssl x509 -in FILE -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum
 */
#ifndef PKI_SPKI_PIN_H
#define PKI_SPKI_PIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pki/der.h"

enum { SPKI_PIN_TEXT = 65 };

struct spki_pin {
	uint8_t digest[32];
};

/* A conf_row.check: is it a pin in text? */
bool spki_pin_is(const char *text, char error[256]);
/* False if it is none. */
bool spki_pin_parse(struct spki_pin *, const char *text);
/* Of the key in this certificate; false if that cannot be read. */
bool spki_pin_of(struct spki_pin *, struct der certificate);
bool spki_pin_equals(const struct spki_pin *, const struct spki_pin *);
/* In lower case; returns out. */
const char *spki_pin_text(const struct spki_pin *, char out[SPKI_PIN_TEXT]);

#endif
