/*
 * Where a certificate says that the CRL of its issuer is (cRLDistributionPoints, RFC 5280, 4.2.1.13).
 * Nobody follows that by himself: an operator is told, and may have it fetched.
 */
#ifndef PKI_CRL_POINTS_H
#define PKI_CRL_POINTS_H

#include <stddef.h>

#include "pki/der.h"

struct x509;

/* The URIs of its full names, in their order, `most` at most, as they stand there; returns how many. */
size_t crl_points(const struct x509 *, struct der *uris, size_t most);

#endif
