/*
 * Look-ups by getaddrinfo() on threads of this process, each as soon as it is asked for.  Who asks
 * decides how many there are at once: resolver_hosts.h; LOOKUPS_IDLE threads wait for more when
 * nothing is to be looked up.
 *
 * Shared by:     whoever asks: a resolver, or the daemon whose helper this is.
 * Bound:         LOOKUPS_MOST at a time.
 * Who leaves:    nobody; the newcomer is refused.
 */
#ifndef BASE_LOOKUPS_H
#define BASE_LOOKUPS_H

#include <stdbool.h>
#include <stdint.h>

struct answer;
struct lookups;

enum { LOOKUPS_MOST = 64, LOOKUPS_IDLE = 4 /* threads that wait for more */ };

/* on_found runs on one of the threads, also of several at the same time.  NULL when the system refuses. */
struct lookups *lookups_new(
    void (*on_found)(void *arg, uint64_t number, const struct answer *), void *arg);
/* Nothing is told after this.  getaddrinfo() cannot be interrupted: threads inside it are left to end by
 * themselves. */
void lookups_free(struct lookups *);

/* The number is told with the answer.  False: there are too many, or memory is short. */
bool lookups_begin(struct lookups *, uint64_t number, const char *host);
bool lookups_are_idle(struct lookups *);

#endif
