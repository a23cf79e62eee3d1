/*
 * OCSP responses (RFC 6960) as a server staples them to its own certificate: read from a file that
 * somebody else fetches, and judged before anybody is shown one.  A response is good if the issuer
 * of the certificate, or a responder that it has delegated (RFC 6960, 4.2.2.2), has signed that
 * this very certificate is good, with a strong algorithm and for a time that has an end, and says
 * nothing else of it elsewhere in the response.
 */
#ifndef PKI_OCSP_H
#define PKI_OCSP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"

enum { OCSP_ERROR = 512 };

/* Owns its data, DER.  {0} is empty. */
struct ocsp_staple {
	uint8_t *data;
	size_t bytes;
	int64_t from_s, until_s; /* seconds since 1970: thisUpdate and nextUpdate */
};

/* For the first certificate of the chain (PEM), whose issuer is the second.  False with a sentence
 * that begins with the path; empty then.  Whether its time has come is another question, whose answer
 * changes: see ocsp_staple_is_current(). */
bool ocsp_staple_load(struct ocsp_staple *, const char *path, const struct secret *chain,
    int64_t now_s, char error[OCSP_ERROR]);
/* False: memory. */
bool ocsp_staple_copy(struct ocsp_staple *, const struct ocsp_staple *from);
void ocsp_staple_wipe(struct ocsp_staple *);

/* An empty one never is. */
bool ocsp_staple_is_current(const struct ocsp_staple *, int64_t now_s);
/* Why one that is not empty is not current, as a sentence; returns error. */
const char *ocsp_staple_untimely(const struct ocsp_staple *, int64_t now_s, char error[OCSP_ERROR]);

/* Whether the first certificate of the chain says that it is to be believed only with a staple
 * (RFC 7633).  False: memory, or it cannot be read. */
bool ocsp_must_staple(const struct secret *chain, bool *must);

#endif
