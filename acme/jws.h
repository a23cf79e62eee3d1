/*
 * What is sent to an ACME server: JSON Web Signatures in the flattened form (RFC 7515, 7.2.2) with
 * the members that RFC 8555, 6.2 demands.  Every text is the caller's to free, NULL is: memory, or the
 * key process does not answer.
 */
#ifndef ACME_JWS_H
#define ACME_JWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/secret.h"

struct account_key;

struct jws_head {
	const char *url;   /* where it is sent to */
	const char *nonce; /* NULL: none, in a signature within another */
	/* Its URL; NULL: it is not known yet, and the key stands for it. */
	const char *account;
};

/* payload "": the request that only reads (POST-as-GET, RFC 8555, 6.3). */
char *jws_sign(struct account_key *, const struct jws_head *, const char *payload);

/* That the holder of the CA's own account `key_id`, who knows its MAC key, wants this key
 * registered (RFC 8555, 7.3.4; HS256). */
char *jws_bind(const struct account_key *, const char *key_id, const struct secret *mac_key,
    const char *new_account_url);

/* The payload of a key change (RFC 8555, 7.3.5): signed by the new key, to be signed by the old
 * one. */
char *jws_change_key(const struct account_key *old, struct account_key *fresh, const char *account,
    const char *key_change_url);

/* SHA-256 of the key authorisation (RFC 8555, 8.1): what a tls-alpn-01 certificate holds (RFC 8737,
 * 3). False: memory. */
bool jws_authorise(const struct account_key *, const char *token, uint8_t digest[32]);

#endif
