/*
 * The key of an ACME account, on P-256: what signs all that is asked of the CA (RFC 8555, 6.2;
 * ES256 of RFC 7518, 3.4).  It has nothing to do with any certificate's key.
 *
 * Here is its public half only: the key itself stays where keys are (keys/key_store.h), and signs
 * nothing but JSON Web Signatures.
 */
#ifndef ACME_ACCOUNT_KEY_H
#define ACME_ACCOUNT_KEY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct account_key;

enum { ACCOUNT_KEY_SIGNATURE = 64, ACCOUNT_KEY_ERROR = 768 };

/* The one in this file, whose name ends in `.account` or `.account.next`; made if there is none.  It
 * stays the same whatever becomes of the file.  NULL with a sentence. */
struct account_key *account_key_open(const char *path, char error[ACCOUNT_KEY_ERROR]);
/* NULL is fine. */
void account_key_free(struct account_key *);

/* Its public half as a JSON Web Key (RFC 7517); NULL when memory is short. */
json_t *account_key_public(const struct account_key *);
/* What names it in a key authorisation (RFC 7638): text that the caller frees; NULL: memory. */
char *account_key_thumbprint(const struct account_key *);
/* Of what a JSON Web Signature is made over (RFC 7515, 5.1): r and s, one behind the other.  False
 * if the key process has ended, or does not answer. */
bool account_key_sign(
    struct account_key *, const char *text, uint8_t signature[ACCOUNT_KEY_SIGNATURE]);

#endif
