/*
 * Which CRLs stand in which file, of all the CRL files that one daemon was given, under
 * whatever key.  Two files often hold a CRL of one issuer (every bundle has the root's),
 * and people replace one of them.  So each trust set of a daemon looks here for CRLs that
 * are newer than those in its own files, and takes them by the same judgement.
 *
 * Nothing in here is judged but the form.  A file that cannot be read and a CRL that cannot
 * be parsed are left out: the trust set to which the file belongs says what is wrong.
 */
#ifndef PKI_CRL_CATALOGUE_H
#define PKI_CRL_CATALOGUE_H

#include <stddef.h>
#include <stdint.h>

#include "pki/der.h"

/* What one says of itself, as in crl.h. */
struct crl_listing {
	struct der issuer, authority_key, number;
	int64_t this_update, next_update;
	const char *file;
	size_t block; /* its place in the file */
};

struct crl_catalogue;

/* Reads each file once, however often it is named.  Owns what it needs of the names.  NULL when
 * memory is short. */
struct crl_catalogue *crl_catalogue_new(const char *const *files, size_t count);
void crl_catalogue_free(struct crl_catalogue *);

/* In the order of the files; NULL behind the last. */
const struct crl_listing *crl_catalogue_at(const struct crl_catalogue *, size_t index);

#endif
