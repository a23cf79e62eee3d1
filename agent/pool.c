/*
 * The sums of a session's channels.
 */
#include "agent/pool.h"

#include <assert.h>
#include <string.h>

static unsigned
smaller(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

void
pool_init(struct pool *pool, unsigned relay_least, unsigned relay_most, unsigned own_least,
    unsigned own_most)
{
	memset(pool, 0, sizeof *pool);
	pool->most = smaller(relay_most, own_most);
	pool->least = smaller(relay_least > own_least ? relay_least : own_least, pool->most);
}

static unsigned
dial(struct pool *pool, unsigned wanted, uint64_t now_ms)
{
	unsigned have = pool->dialling + pool->parked;
	unsigned count;

	if (now_ms < pool->resume_at_ms || have >= pool->most)
		return 0;
	count = smaller(wanted, pool->most - have);
	pool->dialling += count;
	return count;
}

unsigned
pool_refill(struct pool *pool, uint64_t now_ms)
{
	unsigned have = pool->dialling + pool->parked;

	return have < pool->least ? dial(pool, pool->least - have, now_ms) : 0;
}

unsigned
pool_need(struct pool *pool, unsigned wanted, uint64_t now_ms)
{
	return dial(pool, wanted, now_ms);
}

void
pool_parked(struct pool *pool, uint64_t now_ms)
{
	assert(pool->dialling > 0);
	pool->dialling--;
	pool->parked++;
	pool->resume_at_ms = 0;
	pool->backoff.failures = 0;
	backoff_up(&pool->backoff, now_ms);
}

void
pool_failed(struct pool *pool, uint64_t now_ms)
{
	uint64_t resume_at_ms = now_ms;

	assert(pool->dialling > 0);
	pool->dialling--;
	/* One burst of failures is one failure. */
	if (now_ms >= pool->resume_at_ms)
		resume_at_ms += backoff_failed(&pool->backoff, now_ms);
	if (resume_at_ms > pool->resume_at_ms)
		pool->resume_at_ms = resume_at_ms;
}

void
pool_left(struct pool *pool)
{
	assert(pool->parked > 0);
	pool->parked--;
}

uint64_t
pool_pause_ms(const struct pool *pool, uint64_t now_ms)
{
	if (pool->dialling + pool->parked >= pool->least || now_ms >= pool->resume_at_ms)
		return 0;
	return pool->resume_at_ms - now_ms;
}
