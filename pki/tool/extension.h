/*
 * The extensions of a certificate, and lists of them (Extensions of RFC 5280, 4.1).
 */
#ifndef PKI_TOOL_EXTENSION_H
#define PKI_TOOL_EXTENSION_H

#include <gnutls/x509.h>
#include <stdbool.h>

#include "pki/der.h"

/* Its value, to be freed with gnutls_free(); without data if the certificate has none. */
int extension_read(gnutls_x509_crt_t, const char *oid, gnutls_datum_t *out);

/* Reads a list, given without its header; false if it is malformed.  Sets *twins, and never clears
 * it, if one of them stands there twice. */
bool extension_list_read(struct der, bool *twins);
/* Whether such a list has this one, and is it critical? */
bool extension_find(struct der, const char *oid, bool *critical);

#endif
