/*
 * Certificates as people and scripts want to see them: a JSON object whose
 * members stand in reading order.
 */
#ifndef PKI_TOOL_DESCRIBE_H
#define PKI_TOOL_DESCRIBE_H

#include <gnutls/x509.h>
#include <jansson.h>

#include "pki/grant.h"

struct names;
struct record;
struct store;

/* NULL when memory is short. */
json_t *describe_certificate(gnutls_x509_crt_t);
json_t *describe_grant(const struct grant *);
json_t *describe_names(const struct names *, gnutls_x509_subject_alt_name_t);
/* What no terminal should see becomes `?`. */
json_t *describe_text(const char *, size_t bytes);
/* SHA-256 of the DER, hexadecimal. */
json_t *describe_fingerprint(gnutls_x509_crt_t);
/* "p256", "rsa 2048" ... */
json_t *describe_key(int algorithm, unsigned bits);
/* The certificate behind a record as a new object, with the record's name and kind before it. */
int describe_record(struct store *, const struct record *, json_t **out);

#endif
