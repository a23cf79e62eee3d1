/*
 * Internal to the route table: what its sources share.
 *
 * There are two tables.  The static one is immutable and swapped as a whole.
 * The other has the patterns that agents announce; it is changed under the lock
 * and read without it, between grace_enter() and grace_leave(): what a reader
 * sees is atomic or never changes after its publication.
 */
#ifndef RELAY_ROUTE_PRIVATE_H
#define RELAY_ROUTE_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/queue.h>
#include "base/hash.h"
#include "pki/identity.h"
#include "relay/grace.h"
#include "relay/route.h"
#include "relay/tenant_lists.h"

struct route_pattern;

/* How many endpoints there are, of which kinds. */
struct route_counts {
	uint32_t all, unshared, exact, unshared_exact;
};

/* What one identity has under one pattern. Under the lock; gone with its last claim. */
struct route_holder {
	struct hash_link link;
	struct route_pattern *pattern;
	uint8_t key[IDENTITY_KEY_BYTES];
	struct route_counts counts;
};

/*
 *	new --> asked (the registry) --> up --> lost (another has displaced it) --> withdrawn
 *	                             --> refused -------------------------------> withdrawn
 *
 * Without a registry new leads to up.  From everywhere but new it may be withdrawn; what was up has
 * the registry's grant until then.
 */
enum route_claim_state {
	CLAIM_NEW,
	CLAIM_ASKED,
	CLAIM_UP,
	CLAIM_LOST,
	CLAIM_REFUSED,
	CLAIM_WITHDRAWN,
	ROUTE_CLAIM_STATES
};

struct route_claim {
	struct grace grace;
	atomic_uint held; /* by its set, its announcer, and a notice of its loss under way */
	uint32_t number;
	struct routes *routes;
	struct session_ref *session_ref; /* held */
	uint16_t weight;
	uint8_t carriers;
	uint8_t cover; /* enum cover */
	bool is_shared, is_replaced;
	uint8_t balance; /* enum balance */
	uint8_t priority;
	struct address_rules *addresses; /* held */
	uint8_t state;                   /* enum route_claim_state; the announcer's thread */
	bool may_be_held_back; /* set before it is in its set: route_claim_is_held_back() */

	/* under the lock; pattern is NULL outside a set */
	struct route_pattern *pattern;
	struct route_holder *holder;
	uint32_t index;
	/* Its loss is a member of a list, and then on its way. */
	union {
		SLIST_ENTRY(route_claim) loss;
		struct call lost;
	};

	/* the announcer's thread; as in the announcement */
	struct loop *loop;
	void (*on_answer)(void *arg, enum code, const char *sentence);
	void (*on_lost)(void *arg);
	void *arg;
	struct registry_request *request; /* NULL without a registry */
	void (*on_released)(void *arg);
	void *released_arg;
	char name[]; /* "" without a registry, which wants it again */
};
SLIST_HEAD(route_losses, route_claim);

/* The claims of a set, in no order.  The array only grows: a bigger one takes its place, and
 * readers of the old one miss at most the claims that came since. Slots from `count` on may hold
 * claims that have left. */
struct route_set {
	struct grace grace;
	uint32_t capacity;
	_Atomic(uint32_t) count;
	_Atomic(struct route_claim *) at[];
};

/* An announced name, as long as it has endpoints or is remembered. */
struct route_pattern {
	struct grace grace;
	uint64_t hash;
	_Atomic(struct route_set *) set;
	atomic_uint departures;           /* claims that have left the set */
	atomic_bool is_awaited;           /* whoever served it last may come back */
	_Atomic(uint64_t) known_until_us; /* by route_alive_us(); 0 while there are endpoints */
	_Atomic(struct route_absent *) absent; /* NULL: nobody, or no lists */
	/* under the lock */
	struct route_counts counts;
	uint32_t listed;    /* endpoints with lists of addresses */
	atomic_uint choosy; /* those with a priority or `source`; read without it, too */
	struct route_remembered *remembered; /* route_known.c; NULL: it is not */
	char name[];
};

struct route_absent;
struct route_slots;
struct route_static_set;

struct routes {
	pthread_mutex_t lock; /* of the writers */
	uint8_t hash_key[16];
	_Atomic(struct route_slots *) slots; /* route_table.c */
	size_t live, used;
	_Atomic(struct route_static_set *) statics; /* route_static.c */
	struct table holders;                       /* route_claim.c */
	struct tenant_lists remembered;             /* route_known.c */
	_Atomic(uint64_t) arrivals;                 /* route_arrivals() */
	_Atomic(uint64_t) names;                    /* route_names_version() */
	_Atomic(uint64_t) tick_us, still_us;        /* route_known.c; tick_us 0: nobody ticks */
	_Atomic(size_t) absent_prefixes;            /* route_absent.c */
	struct registry *registry;                  /* NULL: this relay stands alone */
};

/* Of a pattern, in both tables. */
static inline uint64_t
route_hash(const struct routes *routes, const char *pattern)
{
	return hash_bytes(routes->hash_key, pattern, strlen(pattern));
}

/* route_table.c. A reader, or under the lock. */
struct route_pattern *route_pattern_find(struct routes *, const char *name, uint64_t hash);
/* Under the lock: NULL when memory is short. */
struct route_pattern *route_pattern_want(struct routes *, const char *name);
/* Under the lock: removes the pattern if nothing is left in it. */
void route_pattern_tidy(struct routes *, struct route_pattern *);
/* Under the lock: calls `each` for the patterns in so many slots from `at` on; false when these were
 * the last. */
bool route_pattern_walk(struct routes *, size_t at, size_t count,
    void (*each)(void *arg, struct route_pattern *), void *arg);

/* route_claim.c. Whether others go before it for now, although it has the lower priority. Anybody. */
bool route_claim_is_held_back(const struct route_claim *);

/* route_known.c. Under the lock. */
/* The last endpoint is about to leave: it is known from now on, and route_known_remember() follows. */
void route_known_expect(struct routes *, struct route_pattern *);
void route_known_remember(struct routes *, struct route_pattern *, const uint8_t *identity_key,
    const uint8_t *tenant_key);
void route_known_recall(struct routes *, struct route_pattern *);
void route_known_forget_all(struct routes *);
void route_known_tidy(struct routes *);
/* False: it is not remembered, or no longer than it should be.  Borrowed from the pattern, until the
 * unlock. */
bool route_known_describe(const struct routes *, const struct route_pattern *, struct route_name *);
/* A reader. */
bool route_known_is(const struct routes *, const struct route_pattern *);
/* Any thread: clock_us(), less the time in which this process stood still. */
uint64_t route_alive_us(const struct routes *);

/*
 * route_absent.c.  An endpoint leaves: before it is out of its set, under the lock.  Its agent is back:
 * after it is in the set, under the lock.  So who looks here, and then at the set, misses nobody unless
 * `departures` has changed.
 *
 * Shared by:     all tenants.
 * Bound:         four agents of a name, for a minute; ROUTE_ABSENT_MOST prefixes of their lists in all.
 * Who leaves:    nobody: of who exceeds it is not known whom he lets in, so that clients whom all
 *                others refuse wait for him.
 */
enum { ROUTE_ABSENT_MOST = 65536 };
void route_absent_note(struct routes *, struct route_pattern *, const struct route_claim *);
void route_absent_return(struct routes *, struct route_pattern *, const struct route_claim *);
/* A reader: whether one of them lets this client in. NULL: there is none. */
bool route_absent_admits(const struct route_absent *, const struct address *);
/* When no reader is left. */
void route_absent_free(struct route_absent *);

/* route_choice.c. Readers. */
/* How often a set is looked at again that changes meanwhile. */
enum { ROUTE_LOOKS_MOST = 3 };
static inline const struct route_claim *
route_claim_at(struct route_set *set, size_t index)
{
	return atomic_load_explicit(&set->at[index], memory_order_acquire);
}
/* Whether the agent's lists of addresses let this client in, as far as it has told them. */
bool route_claim_admits(const struct route_claim *, const struct route_question *);
/* Whether it may be chosen. */
bool route_claim_may_serve(const struct route_claim *, const struct route_question *);
/* The endpoint that gets the flow; NULL: none of these `count` can. */
const struct route_claim *route_choose(
    struct route_pattern *, struct route_set *, size_t count, const struct route_question *);

/* route_static.c. A reader: the first static route of this pattern that fits the question; NULL if none.
 * *is_unmet is set where there are some. */
struct route_static *route_static_find(struct routes *, const char *pattern, uint64_t hash,
    const struct route_question *, bool only_any_depth, bool *is_unmet);

#endif
