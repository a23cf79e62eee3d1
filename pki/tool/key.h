/*
 * Private keys: made, written as PKCS#8 and opened from files or PKCS#11 tokens.
 * Encrypted ones are PBES2 with AES-256-CBC and PBKDF2-HMAC-SHA-256 of 600 000 rounds
 * (RFC 8018), which is what GnuTLS does from 3.7.3 on; a test holds it to that.
 * Whatever is made or opened here is written with its full length (pki/ec_key.h).
 */
#ifndef PKI_TOOL_KEY_H
#define PKI_TOOL_KEY_H

#include <gnutls/abstract.h>
#include <gnutls/x509.h>

#include "base/secret.h"
#include "pki/key_type.h"
#include "pki/tool/passphrase.h"

struct store;

/* The word of --key-type, NULL without it. */
int key_parse_type(const char *word, enum key_type *);
int key_generate(enum key_type, gnutls_x509_privkey_t *out);
/* PEM; in clear when the passphrase is NULL. */
int key_encode(gnutls_x509_privkey_t, const char *passphrase, struct secret *pem);
/* One PEM file, relative to the store's directory or absolute; asks for the passphrase
 * only if it is encrypted. */
int key_load(
    const struct store *, const char *path, struct passphrase *, gnutls_x509_privkey_t *out);
/* The same, or a `pkcs11:` URI, see token.h. */
int key_open(const struct store *, const char *where, struct passphrase *, gnutls_privkey_t *out);
/* A copy in the form that signs. */
int key_abstract(gnutls_x509_privkey_t, gnutls_privkey_t *out);
/* The public half. */
int key_public(gnutls_privkey_t, gnutls_pubkey_t *out);

#endif
