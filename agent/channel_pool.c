/*
 * How many channels a session should have ready.
 */
#include "agent/channel_pool.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "base/numbers.h"

enum {
	DIALS_MOST = 32,
	EARLY_MS = 2000,
	NEED_MS = 500,
	SECOND_MS = 1000,
	FORGOTTEN_S = 64,
	REST_MS = 60000
};

static void
set_share(struct channel_pool *pool, unsigned share)
{
	pool->most = (unsigned)smaller_of(pool->most_wanted, share);
	pool->least = (unsigned)smaller_of(pool->least_wanted, pool->most);
}

void
channel_pool_init(struct channel_pool *pool, unsigned relay_least, unsigned relay_most,
    unsigned own_least, unsigned share)
{
	memset(pool, 0, sizeof *pool);
	pthread_mutex_init(&pool->lock, NULL);
	pool->most_wanted = relay_most;
	pool->least_wanted = (unsigned)larger_of(relay_least, own_least);
	set_share(pool, share);
}

void
channel_pool_wipe(struct channel_pool *pool)
{
	pthread_mutex_destroy(&pool->lock);
}

void
channel_pool_stop(struct channel_pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	pool->has_stopped = true;
	pthread_mutex_unlock(&pool->lock);
}

/* ---- all of these under the lock ---- */

static unsigned
room(const struct channel_pool *pool)
{
	unsigned have = pool->dialling + pool->parked;

	return (unsigned)difference(pool->most, have);
}

static unsigned
target(const struct channel_pool *pool)
{
	return (unsigned)smaller_of(larger_of(pool->least, pool->by_pace), pool->most);
}

static bool
has_enough(const struct channel_pool *pool)
{
	return pool->has_stopped ||
	    (pool->needed == 0 && pool->dialling + pool->parked + pool->used >= target(pool));
}

/* The seconds that are over become the pace, and that the size. */
static void
adapt(struct channel_pool *pool, uint64_t now_ms)
{
	uint64_t seconds = difference(now_ms, pool->second_ms) / SECOND_MS, busiest;

	for (uint64_t i = 0; i < smaller_of(seconds, FORGOTTEN_S); i++) {
		pool->pace = (unsigned)larger_of(pool->pace - (pool->pace + 7) / 8, pool->opened);
		pool->opened = 0;
	}
	if (seconds > 0)
		pool->second_ms = now_ms;
	busiest = larger_of(pool->pace, pool->opened);
	pool->by_pace =
	    now_ms < pool->grows_from_ms ? 0 : 2 * busiest * pool->refill_ms / SECOND_MS;
}

/* So many are wanted and may be dialled now. */
static unsigned
count_dials(struct channel_pool *pool, uint64_t now_ms)
{
	unsigned have, wanted;

	if (pool->has_stopped || now_ms < pool->resume_at_ms)
		return 0;
	adapt(pool, now_ms);
	have = pool->dialling + pool->parked + pool->used + pool->needed;
	wanted = pool->needed + (unsigned)difference(target(pool), have);
	return (unsigned)smaller_of(
	    smaller_of(wanted, room(pool)), difference(DIALS_MOST, pool->dialling));
}

/* So many of them, `most` at most, are dialled now. */
static unsigned
begin_dials(struct channel_pool *pool, unsigned most, uint64_t now_ms)
{
	unsigned count = (unsigned)smaller_of(count_dials(pool, now_ms), most);

	pool->needed -= (unsigned)smaller_of(pool->needed, count);
	pool->dialling += count;
	return count;
}

/* One burst of failures is one failure. */
static void
pause_dialling(struct channel_pool *pool, uint64_t now_ms)
{
	uint64_t resume_at_ms = now_ms;

	pool->grows_from_ms = now_ms + REST_MS;
	pool->by_pace = 0;
	if (now_ms >= pool->resume_at_ms)
		resume_at_ms += backoff_failed(&pool->backoff, now_ms);
	if (resume_at_ms > pool->resume_at_ms)
		pool->resume_at_ms = resume_at_ms;
}

static void
leave(struct channel_pool *pool)
{
	assert(pool->parked > 0);
	pool->parked--;
	pool->early_losses = 0;
}

/* Parking has forgotten the failures, and these are in a row all the same. */
static bool
note_early_loss(struct channel_pool *pool, unsigned before, uint64_t now_ms)
{
	pool->early_losses = before;
	if (now_ms >= pool->resume_at_ms) {
		pool->backoff.failures = before;
		pause_dialling(pool, now_ms);
		pool->early_losses++;
	}
	return before == 0;
}

/* ---- what others call ---- */

void
channel_pool_set_share(struct channel_pool *pool, unsigned share)
{
	pthread_mutex_lock(&pool->lock);
	set_share(pool, share);
	pthread_mutex_unlock(&pool->lock);
}

bool
channel_pool_sheds(struct channel_pool *pool)
{
	bool sheds;

	pthread_mutex_lock(&pool->lock);
	sheds = pool->parked > pool->most;
	if (sheds)
		leave(pool);
	pthread_mutex_unlock(&pool->lock);
	return sheds;
}

unsigned
channel_pool_refill(struct channel_pool *pool, uint64_t now_ms)
{
	unsigned count;

	pthread_mutex_lock(&pool->lock);
	if (pool->needed > 0)
		pool->resume_at_ms = smaller_of(pool->resume_at_ms, now_ms + NEED_MS);
	count = begin_dials(pool, DIALS_MOST, now_ms);
	pthread_mutex_unlock(&pool->lock);
	return count;
}

enum channel_pool_replacement
channel_pool_replace(struct channel_pool *pool, uint64_t now_ms)
{
	enum channel_pool_replacement answer;

	pthread_mutex_lock(&pool->lock);
	assert(pool->used > 0);
	pool->used--;
	adapt(pool, now_ms);
	pool->opened++;
	answer = begin_dials(pool, 1, now_ms) ? REPLACE_NOW
	    : has_enough(pool)                ? REPLACE_NOT
					      : REPLACE_LATER;
	pthread_mutex_unlock(&pool->lock);
	return answer;
}

bool
channel_pool_is_short(struct channel_pool *pool, uint64_t now_ms)
{
	bool is_short;

	pthread_mutex_lock(&pool->lock);
	is_short = count_dials(pool, now_ms) > 0;
	pthread_mutex_unlock(&pool->lock);
	return is_short;
}

void
channel_pool_need(struct channel_pool *pool, unsigned count)
{
	pthread_mutex_lock(&pool->lock);
	pool->needed =
	    (unsigned)smaller_of(pool->needed + smaller_of(count, pool->most), room(pool));
	pthread_mutex_unlock(&pool->lock);
}

void
channel_pool_note_dial(struct channel_pool *pool, uint64_t took_ms)
{
	pthread_mutex_lock(&pool->lock);
	pool->refill_ms = pool->refill_ms > 0 ? (7 * pool->refill_ms + took_ms + 7) / 8 : took_ms;
	pthread_mutex_unlock(&pool->lock);
}

bool
channel_pool_parked(struct channel_pool *pool, uint64_t now_ms)
{
	bool wants_more;

	pthread_mutex_lock(&pool->lock);
	assert(pool->dialling > 0);
	pool->dialling--;
	pool->parked++;
	pool->parked_at_ms = now_ms;
	if (pool->early_losses == 0)
		pool->resume_at_ms = 0;
	pool->backoff.failures = 0;
	backoff_up(&pool->backoff, now_ms);
	wants_more = !has_enough(pool);
	pthread_mutex_unlock(&pool->lock);
	return wants_more;
}

bool
channel_pool_failed(struct channel_pool *pool, uint64_t now_ms)
{
	bool is_first;

	pthread_mutex_lock(&pool->lock);
	assert(pool->dialling > 0);
	pool->dialling--;
	pause_dialling(pool, now_ms);
	is_first = pool->backoff.failures == 1;
	pthread_mutex_unlock(&pool->lock);
	return is_first;
}

unsigned
channel_pool_count(struct channel_pool *pool)
{
	unsigned parked;

	pthread_mutex_lock(&pool->lock);
	parked = pool->parked;
	pthread_mutex_unlock(&pool->lock);
	return parked;
}

bool
channel_pool_left(struct channel_pool *pool)
{
	bool was_last;

	pthread_mutex_lock(&pool->lock);
	leave(pool);
	pool->used++;
	was_last = pool->parked == 0;
	pthread_mutex_unlock(&pool->lock);
	return was_last;
}

bool
channel_pool_lost(struct channel_pool *pool, uint64_t now_ms)
{
	unsigned before;
	bool is_first = false;

	pthread_mutex_lock(&pool->lock);
	before = pool->early_losses;
	leave(pool);
	if (now_ms < pool->parked_at_ms + EARLY_MS)
		is_first = note_early_loss(pool, before, now_ms);
	pthread_mutex_unlock(&pool->lock);
	return is_first;
}

uint64_t
channel_pool_pause_ms(struct channel_pool *pool, uint64_t now_ms)
{
	uint64_t pause_ms = 0;

	pthread_mutex_lock(&pool->lock);
	if (!has_enough(pool) && now_ms < pool->resume_at_ms)
		pause_ms = pool->resume_at_ms - now_ms;
	pthread_mutex_unlock(&pool->lock);
	return pause_ms;
}
