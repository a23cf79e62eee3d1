/*
 * How many channels a session should have ready.
 */
#include "agent/channel_pool.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "base/numbers.h"

enum { DIALS_MOST = 32, EARLY_MS = 2000 };

void
channel_pool_init(struct channel_pool *pool, unsigned relay_least, unsigned relay_most,
    unsigned own_least, unsigned own_most)
{
	memset(pool, 0, sizeof *pool);
	pool->most = (unsigned)smaller_of(relay_most, own_most);
	pool->least = (unsigned)smaller_of(larger_of(relay_least, own_least), pool->most);
}

static unsigned
room(const struct channel_pool *pool)
{
	unsigned have = pool->dialling + pool->parked;

	return (unsigned)difference(pool->most, have);
}

unsigned
channel_pool_refill(struct channel_pool *pool, uint64_t now_ms)
{
	unsigned have = pool->dialling + pool->parked + pool->needed;
	unsigned wanted = pool->needed + (unsigned)difference(pool->least, have);
	unsigned may_dial = (unsigned)difference(DIALS_MOST, pool->dialling);
	unsigned count = (unsigned)smaller_of(smaller_of(wanted, room(pool)), may_dial);

	if (now_ms < pool->resume_at_ms)
		return 0;
	pool->needed -= (unsigned)smaller_of(pool->needed, count);
	pool->dialling += count;
	return count;
}

void
channel_pool_need(struct channel_pool *pool, unsigned count)
{
	pool->needed =
	    (unsigned)smaller_of(pool->needed + smaller_of(count, pool->most), room(pool));
}

void
channel_pool_parked(struct channel_pool *pool, uint64_t now_ms)
{
	assert(pool->dialling > 0);
	pool->dialling--;
	pool->parked++;
	pool->parked_at_ms = now_ms;
	if (pool->early_losses == 0)
		pool->resume_at_ms = 0;
	pool->backoff.failures = 0;
	backoff_up(&pool->backoff, now_ms);
}

/* One burst of failures is one failure. */
static void
pause_dialling(struct channel_pool *pool, uint64_t now_ms)
{
	uint64_t resume_at_ms = now_ms;

	if (now_ms >= pool->resume_at_ms)
		resume_at_ms += backoff_failed(&pool->backoff, now_ms);
	if (resume_at_ms > pool->resume_at_ms)
		pool->resume_at_ms = resume_at_ms;
}

void
channel_pool_failed(struct channel_pool *pool, uint64_t now_ms)
{
	assert(pool->dialling > 0);
	pool->dialling--;
	pause_dialling(pool, now_ms);
}

void
channel_pool_left(struct channel_pool *pool)
{
	assert(pool->parked > 0);
	pool->parked--;
	pool->early_losses = 0;
}

bool
channel_pool_lost(struct channel_pool *pool, uint64_t now_ms)
{
	bool is_early = now_ms < pool->parked_at_ms + EARLY_MS;
	unsigned before = pool->early_losses;

	channel_pool_left(pool);
	if (!is_early)
		return false;
	/* Parking has forgotten the failures, and these are in a row all the same. */
	pool->early_losses = before;
	if (now_ms >= pool->resume_at_ms) {
		pool->backoff.failures = before;
		pause_dialling(pool, now_ms);
		pool->early_losses++;
	}
	return before == 0;
}

uint64_t
channel_pool_pause_ms(const struct channel_pool *pool, uint64_t now_ms)
{
	bool has_enough = pool->needed == 0 && pool->dialling + pool->parked >= pool->least;

	if (has_enough || now_ms >= pool->resume_at_ms)
		return 0;
	return pool->resume_at_ms - now_ms;
}
