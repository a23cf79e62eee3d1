/*
 * A key of one's own and the request for its certificate (PKCS#10, RFC 2986), for
 * `valise-agent keygen` and for joining.  The request is signed with the key, which
 * proves that whoever asks holds it and gives no right; the name and the hosts in it
 * are only asked for: the authority decides.
 *
 *	key_request_new_key() or key_request_take_key(), then key_request_sign()
 */
#ifndef ENROL_KEY_REQUEST_H
#define ENROL_KEY_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"
#include "pki/key_type.h"

enum { KEY_REQUEST_DIGEST = 32, KEY_REQUEST_ERROR = 256 };

/* {0} is empty. */
struct key_request {
	struct secret key; /* PKCS#8 in PEM, not encrypted, an EC key in full length */
	uint8_t digest[KEY_REQUEST_DIGEST]; /* SHA-256 of the SubjectPublicKeyInfo */
	struct secret request;              /* in DER, after key_request_sign() */
};

/* What a request asks for; {0}: nothing, so that the authority fills in what it has on record. */
struct key_request_names {
	const char *name;         /* the subject's common name; NULL: an empty subject */
	const char *const *hosts; /* dNSNames */
	size_t host_count;
};

/* Each returns 0, or with a sentence 65 (what was given is not a private key in PEM), 70 (the library
 * fails) or 71 (memory is short); wipe in any case. */
int key_request_new_key(struct key_request *, enum key_type, char error[KEY_REQUEST_ERROR]);
/* A key that is there already, in PEM; it is kept as it was. */
int key_request_take_key(
    struct key_request *, const struct secret *pem, char error[KEY_REQUEST_ERROR]);
int key_request_sign(
    struct key_request *, const struct key_request_names *, char error[KEY_REQUEST_ERROR]);
void key_request_wipe(struct key_request *);

#endif
