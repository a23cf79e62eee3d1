/*
 * What a certificate request asks for, as bytes: a subject and names, so that the request can be
 * composed where the key is and by nobody else.
 *
 *	key_names_begin(&out, dn, common_name) then key_names_add() for each
 */
#ifndef KEYS_KEY_NAMES_H
#define KEYS_KEY_NAMES_H

#include <gnutls/x509.h>

#include "base/cursor.h"

/* dn is as RFC 4514 writes it, or a common name alone is given; "" both: an empty subject. */
void key_names_begin(struct writer *, const char *dn, const char *common_name);
/* GNUTLS_SAN_DNSNAME, or GNUTLS_SAN_IPADDRESS with its octets. */
void key_names_add(
    struct writer *, gnutls_x509_subject_alt_name_t, const void *value, size_t bytes);

/* Fills in version, subject and names of a request; negative: one of GnuTLS's errors. */
int key_names_fill(struct cursor, gnutls_x509_crq_t);

#endif
