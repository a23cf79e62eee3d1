/*
 * How many channels a session should have ready at its relay: the sums, without
 * any socket.  The contact asks after each event how many to dial now.
 *
 *	dialling --> parked --> (a flow took it) gone
 *	    \------> failed     (a pause, then again)
 *
 * `target` channels are kept; when the relay needs more they are dialled once,
 * within `most`, and not made up for when they are used.
 */
#ifndef AGENT_POOL_H
#define AGENT_POOL_H

#include <stdint.h>

#include "agent/backoff.h"

struct pool {
	unsigned least, most;
	unsigned dialling, parked;
	struct backoff backoff;
	uint64_t resume_at_ms;	/* no dialling before; 0: none was held up */
};

/* The relay's bounds, narrowed by the agent's own settings. */
void pool_init(struct pool *, unsigned relay_least, unsigned relay_most, unsigned own_least,
    unsigned own_most);
/* How many to dial now to have the least; they count as dialling from here on. */
unsigned pool_refill(struct pool *, uint64_t now_ms);
/* The relay needs `wanted` more, at once. */
unsigned pool_need(struct pool *, unsigned wanted, uint64_t now_ms);

void pool_parked(struct pool *, uint64_t now_ms);	/* a dial came through */
void pool_failed(struct pool *, uint64_t now_ms);	/* a dial did not: a pause begins */
void pool_left(struct pool *);				/* a parked one was opened, or lost */
/* How long until pool_refill() may give something; 0 when it has nothing to wait for. */
uint64_t pool_pause_ms(const struct pool *, uint64_t now_ms);

#endif
