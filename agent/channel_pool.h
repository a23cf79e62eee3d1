/*
 * How many channels a session should have ready at its relay: the sums, without
 * any socket.  The session asks after each event how many to dial now.
 *
 *	dialling --> parked --> (a flow took it) gone
 *	    \------> failed     (a pause, then again)
 *
 * `least` channels are kept; when the relay needs more they are dialled once,
 * within `most`, and not made up for when they are used.  Few are dialled at a
 * time: a relay lets one address have only so many hellos in progress.
 */
#ifndef AGENT_CHANNEL_POOL_H
#define AGENT_CHANNEL_POOL_H

#include <stdint.h>

#include "agent/backoff.h"

struct channel_pool {
	unsigned least, most;
	unsigned dialling, parked;
	unsigned owed;		/* needed by the relay, not dialled yet */
	struct backoff backoff;
	uint64_t resume_at_ms;	/* no dialling before; 0: none was held up */
};

/* The relay's bounds, narrowed by the agent's own settings. */
void channel_pool_init(struct channel_pool *, unsigned relay_least, unsigned relay_most, unsigned own_least,
    unsigned own_most);
/* How many to dial now, for the least and for what is needed; they count as dialling from here on.
 */
unsigned channel_pool_refill(struct channel_pool *, uint64_t now_ms);
/* The relay needs `wanted` more; the next channel_pool_refill() gives them. */
void channel_pool_need(struct channel_pool *, unsigned wanted);

void channel_pool_parked(struct channel_pool *, uint64_t now_ms);	/* a dial came through */
void channel_pool_failed(struct channel_pool *, uint64_t now_ms);	/* a dial did not: a pause begins */
void channel_pool_left(struct channel_pool *);				/* a parked one was opened, or lost */
/* How long until channel_pool_refill() may give something; 0 when it has nothing to wait for. */
uint64_t channel_pool_pause_ms(const struct channel_pool *, uint64_t now_ms);

#endif
