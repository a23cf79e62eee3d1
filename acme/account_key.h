/*
 * The key of an ACME account, on P-256: what signs all that is asked of the CA (RFC 8555, 6.2;
 * ES256 of RFC 7518, 3.4).  It has nothing to do with any certificate's key.
 *
 * It is made and read by GnuTLS and signs by nettle, so that the agent has no function of a library
 * that could sign a certificate.
 */
#ifndef ACME_ACCOUNT_KEY_H
#define ACME_ACCOUNT_KEY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"

struct account_key;

enum { ACCOUNT_KEY_SIGNATURE = 64 };

/* A new one; NULL when memory is short. */
struct account_key *account_key_new(void);
/* From PEM.  NULL if it is not a private key on P-256, or when memory is short. */
struct account_key *account_key_import(const struct secret *pem);
/* As PEM (PKCS#8, not encrypted); wipe it after true.  False: memory. */
bool account_key_export(const struct account_key *, struct secret *pem);
/* NULL is fine. */
void account_key_free(struct account_key *);

/* Its public half as a JSON Web Key (RFC 7517); NULL when memory is short. */
json_t *account_key_public(const struct account_key *);
/* What names it in a key authorisation (RFC 7638): text that the caller frees; NULL: memory. */
char *account_key_thumbprint(const struct account_key *);
/* r and s, one behind the other. */
void account_key_sign(const struct account_key *, const void *data, size_t bytes,
    uint8_t signature[ACCOUNT_KEY_SIGNATURE]);

#endif
