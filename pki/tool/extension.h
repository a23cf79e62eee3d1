/*
 * One extension of a certificate, by its OID.
 */
#ifndef PKI_TOOL_EXTENSION_H
#define PKI_TOOL_EXTENSION_H

#include <gnutls/x509.h>

/* Its value, to be freed with gnutls_free(); without data if the certificate has none. */
int extension_read(gnutls_x509_crt_t, const char *oid, gnutls_datum_t *out);

#endif
