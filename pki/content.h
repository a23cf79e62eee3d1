/*
 * What a file holds, told by its structure: for messages about a file that is not what
 * it should be.
 */
#ifndef PKI_CONTENT_H
#define PKI_CONTENT_H

#include <stddef.h>
#include <stdint.h>

#include "pki/key_fault.h"

struct pem_part;

enum content {
	CONTENT_EMPTY,
	CONTENT_CERTIFICATE,
	CONTENT_KEY,
	CONTENT_ENCRYPTED_KEY,
	CONTENT_PUBLIC_KEY,
	CONTENT_REQUEST,
	CONTENT_CRL,
	CONTENT_PKCS7,
	CONTENT_PKCS12,
	CONTENT_OPENSSH_KEY,
	CONTENT_OTHER, /* none of these */
	CONTENTS
};

struct content_facts {
	enum content kind; /* in PEM: of the first block that has one of these kinds */
	_Bool is_pem;
};

struct content_facts content_of(const void *data, size_t bytes);
/* Of one thing in DER, by its structure; of a block of PEM, by what it is called. */
enum content content_of_der(struct der);
enum content content_of_part(const struct pem_part *);
/* The same for a file that must hold a private key: other things in PEM, such as its certificate, may
 * stand before it, so the first block of PEM that is a private key, of whatever form, says the kind. */
struct content_facts content_of_key_file(const void *data, size_t bytes);
/* "a certificate signing request in DER"; out has CONTENT_TEXT bytes and is returned. */
enum { CONTENT_TEXT = 64 };
const char *content_text(struct content_facts, char out[CONTENT_TEXT]);

/* Of a private key in DER (PKCS#8 or SEC 1), what key_odd_curve() says; NULL if it is on no curve. */
const char *content_odd_curve(const uint8_t *der, size_t bytes, char out[KEY_FAULT]);

#endif
