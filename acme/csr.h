/*
 * The request for a certificate that an ACME server is to issue (RFC 2986).
 */
#ifndef ACME_CSR_H
#define ACME_CSR_H

#include <stdbool.h>

#include "base/secret.h"

/* In DER, for this one name as a dNSName and no subject; wipe it after true.  False if the PEM is
 * not a private key, or when memory is short. */
bool csr_make(const struct secret *key_pem, const char *name, struct secret *der);

#endif
