/*
 * The transport of an ACME client by base/fetch: who is asked, believed, and through which proxy.
 */
#ifndef ACME_FETCH_TRANSPORT_H
#define ACME_FETCH_TRANSPORT_H

#include "acme/transport.h"

struct fetch_proxy;
struct fetcher;

/* All borrowed for as long as the transport is used. */
struct fetch_transport {
	struct fetcher *fetcher;
	const char *cas;                 /* PEM; NULL: the system's */
	const struct fetch_proxy *proxy; /* NULL: none */
};

struct acme_transport fetch_transport_of(struct fetch_transport *);

#endif
