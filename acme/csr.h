/*
 * The key of a certificate that an ACME server is to issue, and the request for it (RFC 2986).
 */
#ifndef ACME_CSR_H
#define ACME_CSR_H

#include <stdbool.h>

#include "base/secret.h"
#include "pki/key_type.h"
#include "pki/spki_pin.h"

/* A new one as PEM (PKCS#8, not encrypted); wipe it after true.  False: memory. */
bool csr_key_new(enum key_type, struct secret *pem);
/* The pin of its public half; false if the PEM is not a private key. */
bool csr_key_pin(const struct secret *pem, struct spki_pin *);
/* In DER, for this one name as a dNSName and no subject; wipe it after true.  False if the PEM is
 * not a private key, or when memory is short. */
bool csr_make(const struct secret *key_pem, const char *name, struct secret *der);

#endif
