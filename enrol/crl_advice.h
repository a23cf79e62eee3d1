/*
 * For `check`: which URLs of CRLs the CAs of a key name (pki/crl_points.h) that nobody fetches.
 */
#ifndef ENROL_CRL_ADVICE_H
#define ENROL_CRL_ADVICE_H

#include <stdio.h>

struct crl_refresh_subject;

/* One line for each, to be pasted under `url_key`; those that the subject has are left out, and what is
 * neither http nor https.  Files that cannot be read are passed over. */
void crl_advice_print(const struct crl_refresh_subject *, const char *url_key, FILE *);

#endif
