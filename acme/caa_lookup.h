/*
 * Asks the DNS for the CAA records that hold for a name: those of the name itself or else of the
 * nearest domain above it that has any (RFC 8659, 3).  The C library's resolver asks, on a thread
 * of its own for each look-up, so that no loop waits.
 *
 * Belongs to the thread of its loop.  A resolver that is silent is asked twice for three seconds
 * each, and then there is no answer.
 */
#ifndef ACME_CAA_LOOKUP_H
#define ACME_CAA_LOOKUP_H

#include "acme/caa.h"

struct address;
struct caa_lookup;
struct loop;

/* server: whom to ask instead of the system's resolvers, an IPv4 address with its port, or
 * NULL.  on_done is called once, never inside this call; set NULL: nobody has answered.  NULL when
 * memory is short or the system refuses a thread. */
struct caa_lookup *caa_lookup_start(struct loop *, const char *name, const struct address *server,
    void (*on_done)(void *arg, const struct caa_set *), void *arg);
/* Waits for nobody; on_done is not called any more.  NULL is fine. */
void caa_lookup_cancel(struct caa_lookup *);

#endif
