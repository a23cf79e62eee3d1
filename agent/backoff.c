/*
 * When to try again: back-off with full jitter.
 */
#include "agent/backoff.h"

#include <stdlib.h>

uint64_t
backoff_spread(uint64_t most)
{
	return arc4random_uniform((uint32_t)most + 1);
}

void
backoff_up(struct backoff *backoff, uint64_t now_ms)
{
	backoff->up_since_ms = now_ms > 0 ? now_ms : 1;
}

uint64_t
backoff_failed(struct backoff *backoff, uint64_t now_ms)
{
	uint64_t most = BACKOFF_FIRST_MS;

	if (backoff->up_since_ms != 0 && now_ms - backoff->up_since_ms >= BACKOFF_STABLE_MS)
		backoff->failures = 0;
	backoff->up_since_ms = 0;
	if (backoff->failures++ == 0)
		return 0;
	for (unsigned i = 2; i < backoff->failures && most < BACKOFF_MOST_MS; i++)
		most *= 2;
	return backoff_spread(most < BACKOFF_MOST_MS ? most : BACKOFF_MOST_MS);
}

uint64_t
backoff_permanent(void)
{
	return BACKOFF_PERMANENT_MS - backoff_spread(BACKOFF_PERMANENT_MS / 10);
}
