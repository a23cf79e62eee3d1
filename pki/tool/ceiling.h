/*
 * The grant that a certificate carries, and how a CA's is a ceiling for others.
 */
#ifndef PKI_TOOL_CEILING_H
#define PKI_TOOL_CEILING_H

#include <gnutls/x509.h>
#include <stdbool.h>

#include "pki/grant.h"

/* *found is false when the certificate has none; one that cannot be read fails. */
int ceiling_of(gnutls_x509_crt_t, struct grant *, bool *found);
/* Where the grant says nothing it takes the ceiling's value; where it asks for more it
 * is refused. */
int ceiling_fit(struct grant *, const struct grant *ceiling);

#endif
