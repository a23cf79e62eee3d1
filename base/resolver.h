/*
 * Names of hosts to addresses by getaddrinfo() on threads of its own, so that
 * the hosts file, nsswitch and the system's resolver are honoured and no loop
 * waits.  An asker has an answer or an error within 5 s.  A daemon has these threads
 * in a process of their own (lookup_helper.h); a command that ends soon does not.
 *
 * One resolver is shared by all workers of a daemon.  No name delays another:
 *
 *	Look-ups of one host are one look-up, however many ask.
 *	Four threads look up.  One that a name has held for 100 ms is not counted
 *	any more and another takes its place, up to 32; the last of these is kept
 *	for names that were quick the last time.
 *	Names that took 1 s or longer the last time (within the last minute)
 *	have one thread between them, whatever becomes of it.
 *	Names that strangers choose hold at most half of these threads: two of the
 *	four, sixteen of the 32; the slow ones among them have one of their own.
 *	Of those that wait, names that were quick the last time come first, then
 *	unknown ones, then what is only refreshed; within these the first to ask.
 *
 * At most 256 hosts are looked up or wait for it.  When all places are taken, a
 * refresh leaves, else a name that was slow, else the newcomer is refused.  Of
 * those that strangers choose there are at most 128; then the newcomer is refused
 * (whoever asks for strangers sees to it that they share these places).
 *
 * An answer is kept for 30 s; for 5 min more it is served while the name is
 * looked up again in the background, and for as long as that fails.  A failure
 * is kept for 1 s.  An answer is kept also when its askers have left.  At most
 * 256 hosts are remembered: the one that nobody has asked for longest leaves, and
 * of more than 128 that strangers chose the one of these.
 */
#ifndef BASE_RESOLVER_H
#define BASE_RESOLVER_H

#include <stddef.h>
#include "base/address.h"
#include "base/loop.h"

/* Places for names that strangers chose, and how many of these may be asked for at the same time.  The other
 * places are for look-ups that threads are still at although their askers have left.  So whoever asks finds
 * a place. */
enum { RESOLVER_STRANGE_MOST = 128, RESOLVER_STRANGE_ASKERS = 112 };

struct helper;
struct resolver;
struct resolution;

struct resolver *resolver_new(void);
/* By the threads of that process, of lookup_helper_start(), which has no other resolver and
 * outlives this one. If it dies, what it was asked has failed. */
struct resolver *resolver_new_in(struct helper *);
/* Waits for no look-up. An asker may still forget afterwards; it gets no answer any more, but an
 * error after 5 s. */
void resolver_free(struct resolver *);

/*
 * on_done runs in `loop`'s thread, once, never inside this call; `error` is NULL when there are
 * addresses, at most RESOLVED_MOST (resolved.h).  They come in the order in which they are to be
 * tried: the families take turns, in the system's order within each (RFC 8305 §4), and those that
 * failed lately come last.
 * The loop outlives what is asked for in it: answered or forgotten.  NULL when memory is short.
 */
struct resolution *resolver_ask(struct resolver *, struct loop *, const char *host, uint16_t port,
    void (*on_done)(void *arg, const struct address *addresses, size_t count, const char *error),
    void *arg);
/* The same for a name that a stranger has chosen, until somebody asks for it with resolver_ask(). */
struct resolution *resolver_ask_strange(struct resolver *, struct loop *, const char *host,
    uint16_t port,
    void (*on_done)(void *arg, const struct address *addresses, size_t count, const char *error),
    void *arg);
/* No call any more; the answer is kept for others when it comes. */
void resolution_forget(struct resolution *);

/*
 * From any thread: this address of the host (whatever its port) refuses, or does not answer.  For
 * 30 s it comes last, and the name is looked up again at once, but only once a second.
 */
void resolver_address_failed(struct resolver *, const char *host, const struct address *);

#endif
