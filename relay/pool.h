/*
 * The parked channels of one session, whoever parked them, and the flows that
 * wait for one.  Shared by all workers, and by all clients of the session's
 * endpoints.
 *
 * Who waits does so in lines that are fair to networks, most_waiting of them in all
 * (fair_lines.h).
 *
 * What was needed once stays parked, but only as long as it is in nobody's way:
 * a pool that is_too_big has more than the agent was asked to keep, while its
 * tenant has more than its share or its identity all that it may have.  Then a
 * channel is closed when its turn to be pinged comes; and at once where somebody
 * with less found no place at all (usage.h).
 *
 * A parked channel is an entry, which belongs to the worker that accepted
 * it; nobody else touches the channel.  Taking picks the most recently verified
 * entry and calls its owner to let go; the owner hands the channel over to the
 * asker.  Of the first few, one that belongs to the asker's own worker is taken before
 * those of others if it was verified within the same two seconds: then no other worker
 * is woken.  When nothing is parked, the asker waits, and `on_need` is told.
 *
 * A pool that is distrusted gives away only what was verified, or parked, since: the way
 * to its agent may be gone, and with it all that was parked (a NAT that has lost its
 * memory).  All its entries are asked whether they live; whoever comes meanwhile waits for
 * the first that does, or for a fresh one.
 *
 *	asker:  request = pool_take(pool, &asker) --> on_answer(arg, channel or NULL)
 *	        pool_cancel(request)              --> no answer any more
 *	owner:  pool_park(pool, entry) --> kind->give(entry) or kind->drop(entry), later
 *	        kind->ask(entry), before or after
 *	        pool_lost(entry), pool_verified(entry)
 *
 * Every answer comes by loop_call() in the asker's loop, never from inside.
 *
 * A channel leaves the pool once and for one request at most; it never comes back.
 * Every request is answered once, unless it is cancelled before.
 */
#ifndef RELAY_POOL_H
#define RELAY_POOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include "base/loop.h"
#include "relay/usage.h"

struct address;
struct channel;
struct pool;
struct pool_request;
struct pool_entry;

struct pool_settings {
	uint64_t most;         /* parked at once */
	struct usage *usage;   /* held by the pool; NULL: not counted */
	uint64_t most_waiting; /* 0: no bound */
	/* Says how many more channels are waited for; from any thread, under no lock. */
	void (*on_need)(void *arg, unsigned channels);
	void *arg;
};

/* All are called in the owner's loop by loop_call(), and the entry may be freed in them. */
struct pool_entry_kind {
	/* Lets go of the channel (channel_detach); NULL: it was lost meanwhile. */
	struct channel *(*give)(struct pool_entry *);
	/* The pool was closed: end the channel. */
	void (*drop)(struct pool_entry *);
	/* The pool is distrusted: ping the channel now, if the entry still has one. */
	void (*ask)(struct pool_entry *);
};

enum pool_entry_state { POOL_ENTRY_FREE, POOL_ENTRY_PARKED, POOL_ENTRY_TAKEN };

/* Embedded in its owner's object; zeroed, then `kind` and `loop` filled in. */
struct pool_entry {
	const struct pool_entry_kind *kind;
	struct loop *loop;
	struct call call, asking;
	atomic_bool is_asked; /* `asking` is on its way */
	TAILQ_ENTRY(pool_entry) link;
	struct pool *pool;
	struct pool_request *request;
	enum pool_entry_state state; /* under the pool's lock */
	uint64_t verified_ms;        /* ... too */
};

struct pool_asker {
	struct loop *loop;
	const struct address *client; /* for whom; borrowed for the call of pool_take() */
	/* In the asker's loop; the channel wants channel_attach(). NULL: the session is gone, or drains, or
	 * its agent cannot dial. */
	void (*on_answer)(void *arg, struct channel *);
	/* A detached channel that came after pool_cancel(). */
	void (*discard)(struct channel *);
	void *arg;
};

/* NULL when memory is short. */
struct pool *pool_new(const struct pool_settings *);
/* Gives back; entries and requests hold the pool as long as they need it. */
void pool_release(struct pool *);
/* The session is gone: parked channels are dropped, and whoever waits or asks later is answered
 * NULL. */
void pool_close(struct pool *);
/* No channel comes at the moment, because the agent lacks what a dial wants: whoever waits is answered NULL
 * at once.  Who comes later waits. */
void pool_disappoint(struct pool *);
/* No channel will be dialled any more, because agent or relay drains: whoever waits is answered NULL at once,
 * and so is who finds none parked from now on.  Harmless twice. */
void pool_drain(struct pool *);

enum pool_verdict { POOL_PARKED, POOL_FULL, POOL_REFUSED, POOL_CLOSED };
/* POOL_REFUSED: its usage has no room, and `why` says so. */
enum pool_verdict pool_park(struct pool *, struct pool_entry *, char why[USAGE_WHY]);
/* The channel answered a ping: it is the best one now. */
void pool_verified(struct pool_entry *);
/* True: the entry is out of the pool, and its owner may free it. False: a call to the owner is
 * under way; give() or drop() will be called, so the owner keeps the entry until then. */
bool pool_lost(struct pool_entry *);
/* Of an entry that is out of the pool: ask() will be called, so the owner keeps it until then. */
bool pool_is_asking(const struct pool_entry *);

enum pool_refusal { POOL_REFUSED_MEMORY, POOL_REFUSED_WAITING };
/* NULL: refused; *why says that memory is short, or that the line of the client's host is too long. */
struct pool_request *pool_take(struct pool *, const struct pool_asker *, enum pool_refusal *why);
/* NULL is fine. Must not be called after the answer. */
void pool_cancel(struct pool_request *);

/* What is parked is given to nobody before it is verified, and is asked at once.  From any thread. */
void pool_distrust(struct pool *);
/* Drops as many as its usage owes, those first that were verified longest ago. */
void pool_yield(struct pool *);
/* Whether it keeps others out with more than `least` parked. */
bool pool_is_too_big(struct pool *, uint64_t least);
/* It was closed, or drains. */
bool pool_is_over(struct pool *);
unsigned pool_parked(struct pool *);
unsigned pool_waiting(struct pool *);

#endif
