/*
 * How many channels a session should have ready.
 */
#include "agent/channel_pool.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

enum { DIALS_MOST = 32, EARLY_MS = 2000 };

static unsigned
smaller(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

void
channel_pool_init(struct channel_pool *pool, unsigned relay_least, unsigned relay_most,
    unsigned own_least, unsigned own_most)
{
	memset(pool, 0, sizeof *pool);
	pool->most = smaller(relay_most, own_most);
	pool->least = smaller(relay_least > own_least ? relay_least : own_least, pool->most);
}

static unsigned
room(const struct channel_pool *pool)
{
	unsigned have = pool->dialling + pool->parked;

	return have < pool->most ? pool->most - have : 0;
}

unsigned
channel_pool_refill(struct channel_pool *pool, uint64_t now_ms)
{
	unsigned have = pool->dialling + pool->parked + pool->needed;
	unsigned wanted = pool->needed + (have < pool->least ? pool->least - have : 0);
	unsigned count =
	    smaller(smaller(wanted, room(pool)), DIALS_MOST - smaller(pool->dialling, DIALS_MOST));

	if (now_ms < pool->resume_at_ms)
		return 0;
	pool->needed -= smaller(pool->needed, count);
	pool->dialling += count;
	return count;
}

void
channel_pool_need(struct channel_pool *pool, unsigned count)
{
	pool->needed = smaller(pool->needed + smaller(count, pool->most), room(pool));
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
