/*
 * The request for a certificate that an ACME server is to issue (RFC 2986).
 */
#ifndef ACME_CSR_H
#define ACME_CSR_H

#include <stdbool.h>

#include "base/secret.h"

enum { CSR_ERROR = 768 };

/* In DER, for this one name as a dNSName and no subject; wipe it after true.  key: its file.  False
 * with a sentence. */
bool csr_make(const char *key, const char *name, struct secret *der, char error[CSR_ERROR]);

#endif
