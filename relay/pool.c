/*
 * A berth is PARKED while in the pool's list; TAKEN from the moment somebody
 * decided its fate until its owner has heard of it.  A request is QUEUED until
 * a berth is found for it, then COMING until it is answered.  Both changes are
 * made under the pool's lock.
 */
#include "relay/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include "base/hash.h"

enum request_state { QUEUED, COMING, CANCELLED };

struct pool_request {
	struct message message;
	TAILQ_ENTRY(pool_request) link;
	struct pool *pool;
	struct pool_asker asker;
	enum request_state state;
	struct channel *channel;
};

struct pool {
	pthread_mutex_t lock;
	atomic_uint held;
	struct pool_settings settings;
	TAILQ_HEAD(, pool_berth) berths;	/* the most recently verified first */
	TAILQ_HEAD(, pool_request) requests;	/* the longest waiting first */
	unsigned parked, waiting;
	bool closed;
};

struct pool *
pool_new(const struct pool_settings *settings)
{
	struct pool *pool = calloc(1, sizeof(*pool));

	if (pool == NULL)
		return NULL;
	pool->settings = *settings;
	if (settings->tally != NULL)
		tally_hold(settings->tally);
	atomic_init(&pool->held, 1);
	pthread_mutex_init(&pool->lock, NULL);
	TAILQ_INIT(&pool->berths);
	TAILQ_INIT(&pool->requests);
	return pool;
}

static struct pool *
hold(struct pool *pool)
{
	atomic_fetch_add(&pool->held, 1);
	return pool;
}

void
pool_release(struct pool *pool)
{
	if (pool == NULL || atomic_fetch_sub(&pool->held, 1) > 1)
		return;
	tally_release(pool->settings.tally);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

static bool
count_in(struct pool *pool)
{
	struct tally *tally = pool->settings.tally;

	if (tally != NULL && !tally_enter(tally, TALLY_PARKED, pool->settings.most_per_identity))
		return false;
	pool->parked++;
	return true;
}

static void
count_out(struct pool *pool)
{
	pool->parked--;
	if (pool->settings.tally != NULL)
		tally_leave(pool->settings.tally, TALLY_PARKED);
}

static void
free_request(struct pool_request *request)
{
	pool_release(request->pool);
	free(request);
}

static void
deliver_answer(struct message *message)
{
	struct pool_request *request = container_of(message, struct pool_request, message);

	/* The state is the asker's own to cancel, so no lock is wanted here. */
	if (request->state != CANCELLED)
		request->asker.on_answer(request->asker.arg, request->channel);
	else if (request->channel != NULL)
		request->asker.discard(request->channel);
	free_request(request);
}

static void
answer(struct pool_request *request, struct channel *channel)
{
	request->channel = channel;
	request->message.deliver = deliver_answer;
	loop_post(request->asker.loop, &request->message);
}

/* Under the lock: this berth is for this request, or for nobody. */
static void
assign(struct pool *pool, struct pool_berth *berth, struct pool_request *request)
{
	TAILQ_REMOVE(&pool->berths, berth, link);
	count_out(pool);
	berth->state = POOL_BERTH_TAKEN;
	berth->request = request;
	if (request != NULL)
		request->state = COMING;
}

/* Finds a berth for the request or lets it wait. What to post is posted after the lock. */
static void
seek(struct pool *pool, struct pool_request *request)
{
	struct pool_berth *berth = NULL;
	enum { FOUND, WAITS, NEVER, UNWANTED } outcome;

	pthread_mutex_lock(&pool->lock);
	if (request->state == CANCELLED) {
		outcome = UNWANTED;
	} else if (pool->closed) {
		outcome = NEVER;
		request->state = COMING;
	} else if ((berth = TAILQ_FIRST(&pool->berths)) != NULL) {
		outcome = FOUND;
		assign(pool, berth, request);
	} else {
		outcome = WAITS;
		request->state = QUEUED;
		pool->waiting++;
		TAILQ_INSERT_TAIL(&pool->requests, request, link);
	}
	pthread_mutex_unlock(&pool->lock);
	switch (outcome) {
	case FOUND:
		loop_post(berth->loop, &berth->message);
		break;
	case WAITS:
		pool->settings.on_need(pool->settings.arg, 1);
		break;
	case NEVER:
		answer(request, NULL);
		break;
	case UNWANTED:
		free_request(request);
		break;
	}
}

/* The owner's part: the berth is out of the pool, and who asked may have given up meanwhile. */
static void
deliver_taken(struct message *message)
{
	struct pool_berth *berth = container_of(message, struct pool_berth, message);
	struct pool_request *request = berth->request;
	struct pool *pool = berth->pool;
	struct channel *channel;
	bool wanted = false;

	if (request != NULL) {
		pthread_mutex_lock(&pool->lock);
		wanted = request->state == COMING;
		pthread_mutex_unlock(&pool->lock);
	}
	if (!wanted) {
		berth->kind->drop(berth);
		if (request != NULL)
			free_request(request);
	} else if ((channel = berth->kind->give(berth)) != NULL) {
		answer(request, channel);
	} else {
		seek(pool, request);
	}
	pool_release(pool);
}

enum pool_verdict
pool_park(struct pool *pool, struct pool_berth *berth)
{
	enum pool_verdict verdict = POOL_PARKED;
	struct pool_request *request = NULL;

	berth->message.deliver = deliver_taken;
	pthread_mutex_lock(&pool->lock);
	if (pool->closed) {
		verdict = POOL_CLOSED;
	} else if (pool->parked >= pool->settings.most) {
		verdict = POOL_FULL;
	} else if (!count_in(pool)) {
		verdict = POOL_FULL_IDENTITY;
	} else {
		berth->pool = hold(pool);
		berth->state = POOL_BERTH_PARKED;
		TAILQ_INSERT_HEAD(&pool->berths, berth, link);
		request = TAILQ_FIRST(&pool->requests);
	}
	if (request != NULL) {
		TAILQ_REMOVE(&pool->requests, request, link);
		pool->waiting--;
		assign(pool, berth, request);
	}
	pthread_mutex_unlock(&pool->lock);
	if (request != NULL)
		loop_post(berth->loop, &berth->message);
	return verdict;
}

void
pool_verified(struct pool_berth *berth)
{
	struct pool *pool = berth->pool;

	pthread_mutex_lock(&pool->lock);
	if (berth->state == POOL_BERTH_PARKED) {
		TAILQ_REMOVE(&pool->berths, berth, link);
		TAILQ_INSERT_HEAD(&pool->berths, berth, link);
	}
	pthread_mutex_unlock(&pool->lock);
}

bool
pool_lost(struct pool_berth *berth)
{
	struct pool *pool = berth->pool;
	bool out = false;

	if (pool == NULL)
		return true;	/* never parked */
	pthread_mutex_lock(&pool->lock);
	if (berth->state == POOL_BERTH_PARKED) {
		TAILQ_REMOVE(&pool->berths, berth, link);
		count_out(pool);
		berth->state = POOL_BERTH_FREE;
		out = true;
	}
	pthread_mutex_unlock(&pool->lock);
	if (out) {
		berth->pool = NULL;
		pool_release(pool);
	}
	return out;
}

/* The lock is let go between the steps: posting is cheap, but it need not be done under it. */
static struct pool_berth *
next_to_drop(struct pool *pool)
{
	struct pool_berth *berth;

	pthread_mutex_lock(&pool->lock);
	berth = TAILQ_FIRST(&pool->berths);
	if (berth != NULL)
		assign(pool, berth, NULL);
	pthread_mutex_unlock(&pool->lock);
	return berth;
}

static struct pool_request *
next_to_disappoint(struct pool *pool)
{
	struct pool_request *request;

	pthread_mutex_lock(&pool->lock);
	request = TAILQ_FIRST(&pool->requests);
	if (request != NULL) {
		TAILQ_REMOVE(&pool->requests, request, link);
		pool->waiting--;
		request->state = COMING;
	}
	pthread_mutex_unlock(&pool->lock);
	return request;
}

void
pool_close(struct pool *pool)
{
	struct pool_berth *berth;
	struct pool_request *request;

	pthread_mutex_lock(&pool->lock);
	pool->closed = true;
	pthread_mutex_unlock(&pool->lock);
	while ((berth = next_to_drop(pool)) != NULL)
		loop_post(berth->loop, &berth->message);
	while ((request = next_to_disappoint(pool)) != NULL)
		answer(request, NULL);
}

struct pool_request *
pool_take(struct pool *pool, const struct pool_asker *asker)
{
	struct pool_request *request = calloc(1, sizeof(*request));

	if (request == NULL)
		return NULL;
	request->asker = *asker;
	request->pool = hold(pool);
	seek(pool, request);
	return request;
}

void
pool_cancel(struct pool_request *request)
{
	struct pool *pool;
	bool queued;

	if (request == NULL)
		return;
	pool = request->pool;
	pthread_mutex_lock(&pool->lock);
	queued = request->state == QUEUED;
	if (queued) {
		TAILQ_REMOVE(&pool->requests, request, link);
		pool->waiting--;
	}
	request->state = CANCELLED;
	pthread_mutex_unlock(&pool->lock);
	if (queued)
		free_request(request);
}

unsigned
pool_parked(struct pool *pool)
{
	unsigned parked;

	pthread_mutex_lock(&pool->lock);
	parked = pool->parked;
	pthread_mutex_unlock(&pool->lock);
	return parked;
}

unsigned
pool_waiting(struct pool *pool)
{
	unsigned waiting;

	pthread_mutex_lock(&pool->lock);
	waiting = pool->waiting;
	pthread_mutex_unlock(&pool->lock);
	return waiting;
}
