/*
 * Private keys as files hold them: PKCS#8 in PEM, not encrypted.  What makes and keeps keys of a host's own
 * (for joining, renewing, ACME) reads and writes them here, so that no copy of the library's stays behind.
 *
 * An int is what GnuTLS returns: negative where it fails.
 */
#ifndef PKI_KEY_PEM_H
#define PKI_KEY_PEM_H

#include <gnutls/x509.h>

#include "base/secret.h"
#include "pki/key_type.h"
#include "pki/spki_pin.h"

/* Any unencrypted form of PEM.  *out is to be deinitialised in any case. */
int key_pem_read(const struct secret *pem, gnutls_x509_privkey_t *out);
/* *pem is empty where it fails. */
int key_pem_write(struct secret *pem, gnutls_x509_privkey_t);
/* A new key. */
int key_pem_make(struct secret *pem, enum key_type);
/* Gives a request, which is filled in but for these, the key and its signature with the digest that suits
 * the key, and encodes it in DER.  *der is empty where it fails. */
int key_pem_sign(const struct secret *pem, gnutls_x509_crq_t, struct secret *der);
/* The pin of its public half; false if it is not a private key. */
bool key_pem_pin(struct spki_pin *, const struct secret *pem);

#endif
