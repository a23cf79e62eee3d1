/*
 * RFC 5915, section 3, wants the octets of an EC private key to be as many as the curve's
 * order has: 32 on P-256.  GnuTLS 3.7 writes a number's own octets, 33 for every second key
 * and 31 for some, and OpenSSL forgives what Go, Java and others refuse.  But it writes
 * a key that it has read as it was, whatever is put around it: PKCS#8 in clear or
 * encrypted, or PKCS#12.  So a key that was made or read is given to ec_key_normalise()
 * before anything is done with it.
 */
#ifndef PKI_EC_KEY_H
#define PKI_EC_KEY_H

#include <stdbool.h>

#include <gnutls/x509.h>

/* Exchanges the key by the same one in full length; a key of another kind stays as it is.
 * False if memory is short or the key is not a good one; *key stays the caller's then, too. */
bool ec_key_normalise(gnutls_x509_privkey_t *key);

#endif
