/*
 * Names of hosts to addresses by getaddrinfo() on a thread of its own, so that
 * the hosts file, nsswitch and the system's resolver are honoured and no loop waits.
 * Bounded queue (256), answers given within 5 s, cached for 30 s (failures for 1 s).
 * Shared by all workers.
 */
#ifndef BASE_RESOLVER_H
#define BASE_RESOLVER_H

#include <stddef.h>
#include "base/address.h"
#include "base/loop.h"

enum { RESOLVED_MOST = 16 };

struct resolver;
struct resolution;

struct resolver *resolver_new(void);
/* Waits for no look-up.  Who has asked may still forget afterwards, but gets no answer any more
 * (after 5 s an error). */
void resolver_free(struct resolver *);

/* on_done runs in `loop`'s thread, once, never inside this call; `error` is NULL when there are
 * addresses.  NULL when memory is short. */
struct resolution *resolver_ask(struct resolver *, struct loop *, const char *host, uint16_t port,
    void (*on_done)(void *arg, const struct address *addresses, size_t count, const char *error),
    void *arg);
/* No call any more; the thread's answer is dropped when it comes. */
void resolution_forget(struct resolution *);

#endif
