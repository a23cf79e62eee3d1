/*
 * How many channels a session should have ready at its relay: only the numbers,
 * without any socket.  The session asks how many to dial, at first and whenever
 * the relay needs some; the worker whose channel was used asks whether to dial
 * another in its place, and tells the session where that cannot be done now.
 * All calls may come from any thread.
 *
 *	dialling --> parked --> gone (a flow took it, or the relay closed it)
 *	    \------> failed     (a pause, then again)
 *
 * `least` channels are always kept, or twice as many as are opened while one is dialled,
 * by the busiest second of late (of which an eighth is forgotten each second) and by what a
 * dial takes, if that is more.  When the relay needs more, they are dialled
 * once, up to `most` in all, and not replaced when they are used.  At most 32
 * are dialled at a time, because a relay bounds the hellos in progress from one
 * address.
 *
 * After a dial that failed there is a pause, which ends half a second after the relay
 * needs one at the latest; and for a minute there are no more than `least`.
 *
 * A relay that has no place for a channel closes it when the handshake is done,
 * and the agent has parked it by then.  So one that is lost soon after something
 * was parked counts as a dial that failed, until one is opened or stays.
 *
 * Shared by:     the sessions with one relay: while it drains one, there is another.
 * Bound:         agent.pool.most for both together; each has half.
 * Who leaves:    channels of the one that drains, which dials no more.
 */
#ifndef AGENT_CHANNEL_POOL_H
#define AGENT_CHANNEL_POOL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/backoff.h"

struct channel_pool {
	pthread_mutex_t lock;
	bool has_stopped;
	unsigned least, most;
	unsigned least_wanted, most_wanted; /* were the share large enough */
	unsigned dialling, parked;
	unsigned used;         /* of which channel_pool_replace() has not been asked yet */
	unsigned needed;       /* by the relay, and not dialled yet */
	unsigned early_losses; /* in a row */
	uint64_t by_pace;      /* twice what is opened while one is dialled */
	unsigned opened;       /* in this second */
	unsigned pace;         /* of the busiest second of late */
	uint64_t second_ms;    /* when this second began */
	uint64_t refill_ms;    /* what a dial takes, smoothed */
	uint64_t grows_from_ms;
	uint64_t parked_at_ms; /* the latest */
	struct backoff backoff;
	uint64_t resume_at_ms; /* nothing is dialled before; 0: no pause */
};

/* The relay's bounds and the agent's own, within a share of what the agent may have with this relay. */
void channel_pool_init(struct channel_pool *, unsigned relay_least, unsigned relay_most,
    unsigned own_least, unsigned share);
/* It has another share from now on.  Of those that are parked, channel_pool_sheds() says which must go. */
void channel_pool_set_share(struct channel_pool *, unsigned share);
/* Of a parked one: there are too many.  True: it has left, and must be closed. */
bool channel_pool_sheds(struct channel_pool *);
void channel_pool_wipe(struct channel_pool *);
/* Nothing is dialled any more. */
void channel_pool_stop(struct channel_pool *);
/* How many are parked. */
unsigned channel_pool_count(struct channel_pool *);
/* How many to dial now, for `least` and for what the relay needs. From here on they count as
 * dialling. */
unsigned channel_pool_refill(struct channel_pool *, uint64_t now_ms);
enum channel_pool_replacement {
	REPLACE_NOW,   /* it counts as dialling */
	REPLACE_NOT,   /* there are enough */
	REPLACE_LATER, /* there is a pause; the session looks when it is over */
};
/* Whether one is to be dialled for one that was opened. */
enum channel_pool_replacement channel_pool_replace(struct channel_pool *, uint64_t now_ms);
/* Whether channel_pool_refill() would return more than 0. */
bool channel_pool_is_short(struct channel_pool *, uint64_t now_ms);
/* The relay needs `count` more; channel_pool_refill() will include them. */
void channel_pool_need(struct channel_pool *, unsigned count);

/* What a dial took that came through; before it is parked. */
void channel_pool_note_dial(struct channel_pool *, uint64_t took_ms);
/* A dial came through. True: more are wanted, for which there was no place until now. */
bool channel_pool_parked(struct channel_pool *, uint64_t now_ms);
/* A dial did not: a pause begins. True: it is the first one in a row. */
bool channel_pool_failed(struct channel_pool *, uint64_t now_ms);
/* A parked one was opened; channel_pool_replace() is asked later. True: it was the last one. */
bool channel_pool_left(struct channel_pool *);
/* A parked one was lost. True: so soon that it counts as a failure, and is the first one to. */
bool channel_pool_lost(struct channel_pool *, uint64_t now_ms);
/* How long until channel_pool_refill() may return more than 0; 0 when it waits for nothing. */
uint64_t channel_pool_pause_ms(struct channel_pool *, uint64_t now_ms);

#endif
