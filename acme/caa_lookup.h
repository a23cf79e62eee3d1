/*
 * Asks the DNS for the CAA records that hold for a name: those of the name itself or else of the
 * nearest domain above it that has any (RFC 8659, 3).
 *
 * Belongs to the thread of its loop.  Where a resolver on the way is silent there is no answer.
 */
#ifndef ACME_CAA_LOOKUP_H
#define ACME_CAA_LOOKUP_H

#include "acme/caa.h"

struct address;
struct caa_lookup;
struct record_lookups;

/* server: whom to ask instead of the system's resolvers, an IPv4 address with its port, or
 * NULL.  on_done is called once, never inside this call; set NULL: nobody has answered.  NULL when
 * memory is short, or too much is being asked for. */
struct caa_lookup *caa_lookup_start(struct record_lookups *, const char *name,
    const struct address *server, void (*on_done)(void *arg, const struct caa_set *), void *arg);
/* on_done is not called any more.  NULL is fine. */
void caa_lookup_cancel(struct caa_lookup *);

#endif
