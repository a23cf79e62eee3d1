/*
 * Places of something that is shared and bounded, dealt out fairly.  Over hellos in
 * progress and unfinished handshakes it is the admission queue of valise(7); flows and
 * what they hold in memory are shared by the same rules.
 *
 * It counts who has how many of them or, where it is memory that is shared, how much
 * of it: a place weighs one, or whatever it is said to (shares_weigh), and below "most" is
 * what weighs most.  Places are weighed by client block at two widths, the
 * host (/32, IPv6 /64) and its network (/24, IPv6 /48), and above both by an owner
 * where there is one: an agent counts by the relay that a client came through,
 * since a client block is only that relay's word.
 *
 * Shared by:     all clients, and all threads of a daemon.
 * Bound:         `most` for what all weigh together and, only if it is set,
 *                `most_per_client` for each host.
 * Who leaves:    while there is room everybody gets in, however many he has.  When
 *                it is full, the owner with most pays, in it the network with
 *                most, and in that the host with most (see below).  It loses its
 *                newest place (SHARES_NEWEST: what has begun is worth more than
 *                what begins) or its oldest (SHARES_OLDEST: what takes that long
 *                will not come to anything), whatever that place weighs.  The last
 *                one may stay.
 *
 * A newcomer is counted before it is decided who pays.  With SHARES_NEWEST it is
 * its own block's newest, so a newcomer whose block has as much as the heaviest is
 * refused itself and pushes nobody out; with SHARES_OLDEST it always gets in, and
 * a flood displaces itself.
 *
 * Everything takes constant time under one lock (finding the owner with most looks
 * at all owners, 256 at most; what becomes lighter takes as many steps as it loses
 * weight).  Weights are exact.  The host with most within a network is looked for
 * among sixteen of its hosts, which are kept roughly in order: a host moves up four
 * steps with each place that it enters, and more for a heavy one, so one that floods
 * is found.  A client block takes some 62 bytes; a million random IPv4 addresses, each
 * of a network of its own, less than 64 MB, which is given back as they leave.  A
 * place takes 56 bytes, and what the heaviest network of an owner weighs four bytes
 * for each unit: who weighs memory takes units of some hundred bytes or more.
 *
 *	place = shares_enter(shares, &entrant, &verdict);
 *	shares_weigh(place, weight)      where not each is worth the same, as often as that changes
 *	shares_leave(place)              when finished, or given up
 *
 * on_evict is called by a message in the loop that the place was entered with,
 * never inside one of these calls.  The place no longer counts, but its owner
 * still leaves it with shares_leave().
 */
#ifndef BASE_SHARES_H
#define BASE_SHARES_H

#include <stddef.h>
#include <stdint.h>
#include "base/address.h"
#include "base/loop.h"

struct shares;
struct shares_place;

enum shares_leaver { SHARES_NEWEST, SHARES_OLDEST };

/* 0: no bound. */
struct shares_bounds {
	uint64_t most, most_per_client;
};

/* Of one place. */
enum { SHARES_WEIGHT_MOST = 1 << 20 };

struct shares_entrant {
	struct loop *loop;            /* of its thread */
	const struct address *client; /* borrowed for the call */
	uint8_t owner;                /* 0 where there are none */
	void (*on_evict)(void *arg);
	void *arg;
};

enum shares_verdict {
	SHARES_IN,
	SHARES_FULL,        /* all places are taken, and nobody has more than this client's block */
	SHARES_CLIENT_FULL, /* this client has most_per_client */
	SHARES_MEMORY
};

/* Without bounds; NULL when memory is short. */
struct shares *shares_new(enum shares_leaver);
/* All places must have been left, and their messages delivered. */
void shares_free(struct shares *);
/* The bounds hold from now on.  Nobody is evicted before the next one enters; then as many as are
 * needed leave, up to sixteen at a time, but one only with SHARES_NEWEST. */
void shares_set_bounds(struct shares *, const struct shares_bounds *);

/* NULL: not in, *verdict says why. */
struct shares_place *shares_enter(
    struct shares *, const struct shares_entrant *, enum shares_verdict *verdict);
/* It weighs this from now on, 1 to SHARES_WEIGHT_MOST, and somebody may have to leave for that or,
 * though it weighs no more than before, because a bound has been lowered.  When memory is short a place
 * stays as light as it was. */
void shares_weigh(struct shares_place *, uint32_t weight);
/* Called from the place's own thread; NULL is fine. */
void shares_leave(struct shares_place *);

/* What it has at the moment, what it may have (0: no bound), and how many have had to leave since the
 * start. */
struct shares_load {
	uint64_t count, weight, most, evicted;
};
struct shares_load shares_load(struct shares *);
/* Of places. */
uint64_t shares_count(struct shares *);
/* The memory that the counting itself takes, without the places. */
size_t shares_memory(struct shares *);

#endif
