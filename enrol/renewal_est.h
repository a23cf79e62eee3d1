/*
 * How a renewal asks its authority: by EST (enrol/est_client.h), of a server that the CAs of
 * `renew.cas` and the CRLs at hand vouch for.  The CRLs come from the authority itself, /crl/servers.pem,
 * by whoever keeps the store of CRLs fresh (enrol/crl_refresh.h).
 *
 * Belongs to the loop's thread.
 */
#ifndef ENROL_RENEWAL_EST_H
#define ENROL_RENEWAL_EST_H

#include <stdbool.h>

#include "enrol/renewal.h"

struct fetch_proxy;
struct fetcher;

/* Embedded in its owner; what it points at is borrowed, and read when an authority is asked. */
struct renewal_est {
	struct fetcher *fetcher;
	const struct fetch_proxy *proxy; /* or NULL */
	const char *state_dir;
	struct renewal_authority authority; /* filled by renewal_est_init() */
};

/* The members above `authority` may change at any time. */
void renewal_est_init(struct renewal_est *, struct fetcher *);

#endif
