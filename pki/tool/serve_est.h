/*
 * Enrolment over Secure Transport (RFC 7030, RFC 8951) and the authority's files, as requests
 * and answers:
 *
 *	GET  /.well-known/est/cacerts         200
 *	GET  /.well-known/est/csrattrs        204: nothing is wanted in a request but a key
 *	POST /.well-known/est/simpleenroll    by an invitation, as HTTP Basic
 *	POST /.well-known/est/simplereenroll  by the certificate that is to be renewed, as TLS' client's
 *	GET  /crl/..., /ca/...                publication.h
 *
 * Anything else is 404, or 405.  A refusal is one sentence in text/plain: 400 the request cannot be
 * read, 401 the invitation is not believed, 403 the certificate or what is asked for is refused, 413 the
 * body is too long; and, with Retry-After, 429 and 503: later.
 *
 * Before anybody is known all requests together are bounded, and no block of clients gets all of
 * it (base/rate.h); renewals also by identity.  Behind a relay all clients have one address.
 */
#ifndef PKI_TOOL_SERVE_EST_H
#define PKI_TOOL_SERVE_EST_H

#include <stdint.h>

struct http_request;
struct publications;
struct rate_table;
struct serve_judge;
struct serve_queue;

/* What requests need; borrowed. */
struct serve_est {
	struct publications *publications;
	struct serve_judge *judge;
	struct serve_queue *queue;
	struct rate_table *rates;
	uint64_t issued; /* since the start */
};

/* Sets the bounds: requests a second, and of those renewals of one identity. */
void serve_est_bound(struct serve_est *, uint64_t requests, uint64_t requests_per_identity);
/* http_options.on_request */
void serve_est_on_request(void *est, struct http_request *);

#endif
