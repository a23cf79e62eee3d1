/*
 * When to try again: at once the first time, then full jitter between nothing
 * and a bound that doubles from 0.5 s to 30 s (AWS Architecture Blog, 2015:
 * jitter over the whole span spreads a crowd best).  Only 30 s of stability
 * take the bound back; a link that comes and goes keeps waiting.
 *
 * A plain value; the caller has the timer and the clock.
 */
#ifndef AGENT_BACKOFF_H
#define AGENT_BACKOFF_H

#include <stdint.h>

enum {
	BACKOFF_FIRST_MS = 500,
	BACKOFF_MOST_MS = 30000,
	BACKOFF_STABLE_MS = 30000,
	BACKOFF_PERMANENT_MS = 300000,	/* refused for good: slowly */
};

struct backoff {
	unsigned failures;	/* in a row, with no stability between */
	uint64_t up_since_ms;	/* 0: not up */
};

/* It worked, at this time. */
void backoff_up(struct backoff *, uint64_t now_ms);
/* It failed, or what worked has ended: how many ms to wait. */
uint64_t backoff_failed(struct backoff *, uint64_t now_ms);
/* For one that is refused for good: about five minutes, spread over a tenth. */
uint64_t backoff_permanent(void);
/* Evenly spread, 0 <= result <= most (which is below 2^32 - 1 ms, seven weeks). */
uint64_t backoff_spread(uint64_t most);

#endif
