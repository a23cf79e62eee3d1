/*
 * When to try again: the first time at once, then after a random time between
 * nothing and a bound that doubles from 0.5 s to 30 s (full jitter; AWS
 * Architecture Blog, 2015: jitter over the whole span spreads many callers
 * best).  Only 30 s of stability reset the bound, so that a link that comes and
 * goes keeps waiting.
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
	BACKOFF_PERMANENT_MS = 300000, /* after a permanent refusal */
};

struct backoff {
	unsigned failures;    /* in a row, with no stability in between */
	uint64_t up_since_ms; /* 0: it is not up */
};

/* It worked, at this time. */
void backoff_up(struct backoff *, uint64_t now_ms);
/* It failed, or what worked has ended or is about to. Returns how many ms to wait. */
uint64_t backoff_failed(struct backoff *, uint64_t now_ms);
/* How many ms to wait after a permanent refusal: five minutes, less up to a tenth at random. */
uint64_t backoff_permanent(void);
/* Evenly spread, 0 <= result <= most (which is below 2^32 - 1 ms, seven weeks). */
uint64_t backoff_spread(uint64_t most);

#endif
