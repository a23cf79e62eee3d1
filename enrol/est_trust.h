/*
 * Whom a host believes that knows nothing of an authority but the key of its root: the
 * root certificates with that key, and CRLs, all of which may come from anybody and prove themselves.
 */
#ifndef ENROL_EST_TRUST_H
#define ENROL_EST_TRUST_H

#include <stdbool.h>

#include "base/secret.h"

struct trust;

enum { EST_TRUST_ERROR = 640 };

/* A set of CAs and CRLs in memory, and what messages call them. */
struct est_trust_sources {
	const struct secret *cas, *crls;  /* PEM */
	const char *cas_from, *crls_from; /* a URL or a path, for sentences */
	const char *label;
};

/* By the same rules as from files (pki/trust.h), with every CRL demanded, or none where crls is NULL.  NULL
 * with a sentence. */
struct trust *est_trust_load(const struct est_trust_sources *, char error[EST_TRUST_ERROR]);

#endif
