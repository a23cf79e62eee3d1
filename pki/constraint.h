/*
 * Name constraints (RFC 5280, 4.2.1.10), judged by ourselves besides GnuTLS,
 * which lets a wildcard pass an exclusion and a URI pass everything.  What cannot be
 * judged is refused.
 */
#ifndef PKI_CONSTRAINT_H
#define PKI_CONSTRAINT_H

#include <stdbool.h>
#include <stddef.h>

struct x509;

/* Whether every name of the certificate is within the CA's constraints.  If not, why[]
 * says which name is not, to be read after "its ". */
bool constraint_allows(
    const struct x509 *ca, const struct x509 *certificate, char *why, size_t why_bytes);

#endif
