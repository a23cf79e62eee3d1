/*
 * The names of a certificate-to-be: read from options, normalised by
 * sni/name.h, judged against what the issuing CA permits.
 */
#ifndef PKI_TOOL_NAMES_H
#define PKI_TOOL_NAMES_H

#include <gnutls/x509.h>
#include <stdbool.h>
#include <stddef.h>

#include "pki/tool/options.h"
#include "sni/name.h"

struct profile;

enum { NAMES_MOST = 4 * TEXTS_MOST, NAMES_TEXT = 256 };

struct name {
	gnutls_x509_subject_alt_name_t type; /* DNS name, IP address, RFC 822 name, URI */
	char text[NAMES_TEXT];
};

struct names {
	size_t count;
	struct name at[NAMES_MOST];
};

/* One that is not there yet. */
int names_add(struct names *, gnutls_x509_subject_alt_name_t, const char *text);
/* As a certificate or request has it; hostile bytes become `?`, types that names are not
 * made of are left out. */
int names_add_raw(struct names *, gnutls_x509_subject_alt_name_t, const gnutls_datum_t *value);
/* A --host: a DNS name, a `*.` pattern, or an address where the profile serves. */
int names_add_host(struct names *, const struct profile *, const char *host);
int names_add_email(struct names *, const char *);
int names_add_uri(struct names *, const char *);
/* What the certificate has; other types of names are left out. */
int names_of_certificate(struct names *, gnutls_x509_crt_t);
/* Puts them into the certificate as its subjectAltName. */
int names_put(const struct names *, gnutls_x509_crt_t);
/* "a.example *.b.example"; `out` is cut to fit. */
void names_join(const struct names *, char *out, size_t out_size);
/* Whether the name or pattern lies within the subtree of a permitted name (RFC 5280 4.2.1.10). */
bool names_is_within(const char *pattern, const char *permitted);

/* A certificate's NAME: it becomes a file's name and the common name. */
int names_check_label(const char *name);

#endif
