/*
 * An entry is PARKED while in the pool's list; TAKEN from the moment somebody
 * decided its fate until its owner has heard of it.  A request is QUEUED until
 * an entry is found for it, then COMING until it is answered.  Both changes are
 * made under the pool's lock.
 */
#include "relay/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum request_state { QUEUED, COMING, CANCELLED };

struct pool_request {
	struct call call;
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
	TAILQ_HEAD(, pool_entry) entries;    /* the most recently verified first */
	TAILQ_HEAD(, pool_request) requests; /* the longest waiting first */
	unsigned parked, waiting;
	bool closed;
};

struct pool *
pool_new(const struct pool_settings *settings)
{
	struct pool *pool = calloc(1, sizeof *pool);

	if (!pool)
		return NULL;
	pool->settings = *settings;
	if (settings->usage)
		usage_hold(settings->usage);
	atomic_init(&pool->held, 1);
	pthread_mutex_init(&pool->lock, NULL);
	TAILQ_INIT(&pool->entries);
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
	if (!pool || atomic_fetch_sub(&pool->held, 1) > 1)
		return;
	usage_release(pool->settings.usage);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

static bool
count_in(struct pool *pool, char why[USAGE_WHY])
{
	struct usage *usage = pool->settings.usage;

	if (usage && !usage_enter(usage, USAGE_PARKED, why))
		return false;
	pool->parked++;
	return true;
}

static void
count_out(struct pool *pool)
{
	pool->parked--;
	if (pool->settings.usage)
		usage_leave(pool->settings.usage, USAGE_PARKED);
}

static void
free_request(struct pool_request *request)
{
	pool_release(request->pool);
	free(request);
}

static void
hand_over(void *data)
{
	struct pool_request *request = data;

	/* Only the asker cancels, and in this thread, so reading the state needs no lock. */
	if (request->state != CANCELLED)
		request->asker.on_answer(request->asker.arg, request->channel);
	else if (request->channel)
		request->asker.discard(request->channel);
	free_request(request);
}

static void
answer(struct pool_request *request, struct channel *channel)
{
	request->channel = channel;
	loop_call(request->asker.loop, &request->call, hand_over, request);
}

/* Under the lock: takes the entry for this request or, with NULL, for nobody. */
static void
assign(struct pool *pool, struct pool_entry *entry, struct pool_request *request)
{
	TAILQ_REMOVE(&pool->entries, entry, link);
	count_out(pool);
	entry->state = POOL_ENTRY_TAKEN;
	entry->request = request;
	if (request)
		request->state = COMING;
}

static void let_go(void *entry);

/* The entry is assigned: its owner is asked for the channel, or told that nobody wants it. */
static void
call_owner(struct pool_entry *entry)
{
	loop_call(entry->loop, &entry->call, let_go, entry);
}

/* Finds an entry for the request or lets it wait. Who is to be called is called after the lock. */
static void
seek(struct pool *pool, struct pool_request *request)
{
	struct pool_entry *entry = NULL;
	enum { FOUND, WAITS, NEVER, UNWANTED } outcome;

	pthread_mutex_lock(&pool->lock);
	if (request->state == CANCELLED) {
		outcome = UNWANTED;
	} else if (pool->closed) {
		outcome = NEVER;
		request->state = COMING;
	} else if ((entry = TAILQ_FIRST(&pool->entries))) {
		outcome = FOUND;
		assign(pool, entry, request);
	} else {
		outcome = WAITS;
		request->state = QUEUED;
		pool->waiting++;
		TAILQ_INSERT_TAIL(&pool->requests, request, link);
	}
	pthread_mutex_unlock(&pool->lock);
	switch (outcome) {
	case FOUND:
		call_owner(entry);
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

/* In the owner's thread: the entry is out of the pool, and the asker may have given up
 * meanwhile. */
static void
let_go(void *data)
{
	struct pool_entry *entry = data;
	struct pool_request *request = entry->request;
	struct pool *pool = entry->pool;
	struct channel *channel;
	bool wanted = false;

	if (request) {
		pthread_mutex_lock(&pool->lock);
		wanted = request->state == COMING;
		pthread_mutex_unlock(&pool->lock);
	}
	if (!wanted) {
		entry->kind->drop(entry);
		if (request)
			free_request(request);
	} else if ((channel = entry->kind->give(entry))) {
		answer(request, channel);
	} else {
		seek(pool, request);
	}
	pool_release(pool);
}

enum pool_verdict
pool_park(struct pool *pool, struct pool_entry *entry, char why[USAGE_WHY])
{
	enum pool_verdict verdict = POOL_PARKED;
	struct pool_request *request = NULL;

	pthread_mutex_lock(&pool->lock);
	if (pool->closed) {
		verdict = POOL_CLOSED;
	} else if (pool->parked >= pool->settings.most) {
		verdict = POOL_FULL;
	} else if (!count_in(pool, why)) {
		verdict = POOL_REFUSED;
	} else {
		entry->pool = hold(pool);
		entry->state = POOL_ENTRY_PARKED;
		TAILQ_INSERT_HEAD(&pool->entries, entry, link);
		request = TAILQ_FIRST(&pool->requests);
	}
	if (request) {
		TAILQ_REMOVE(&pool->requests, request, link);
		pool->waiting--;
		assign(pool, entry, request);
	}
	pthread_mutex_unlock(&pool->lock);
	if (request)
		call_owner(entry);
	return verdict;
}

void
pool_verified(struct pool_entry *entry)
{
	struct pool *pool = entry->pool;

	pthread_mutex_lock(&pool->lock);
	if (entry->state == POOL_ENTRY_PARKED) {
		TAILQ_REMOVE(&pool->entries, entry, link);
		TAILQ_INSERT_HEAD(&pool->entries, entry, link);
	}
	pthread_mutex_unlock(&pool->lock);
}

bool
pool_lost(struct pool_entry *entry)
{
	struct pool *pool = entry->pool;
	bool out = false;

	if (!pool)
		return true; /* never parked */
	pthread_mutex_lock(&pool->lock);
	if (entry->state == POOL_ENTRY_PARKED) {
		TAILQ_REMOVE(&pool->entries, entry, link);
		count_out(pool);
		entry->state = POOL_ENTRY_FREE;
		out = true;
	}
	pthread_mutex_unlock(&pool->lock);
	if (out) {
		entry->pool = NULL;
		pool_release(pool);
	}
	return out;
}

/* The lock is let go between the steps: posting is cheap, but it need not be done under it. */
static struct pool_entry *
next_to_drop(struct pool *pool)
{
	struct pool_entry *entry;

	pthread_mutex_lock(&pool->lock);
	entry = TAILQ_FIRST(&pool->entries);
	if (entry)
		assign(pool, entry, NULL);
	pthread_mutex_unlock(&pool->lock);
	return entry;
}

static struct pool_request *
next_to_disappoint(struct pool *pool)
{
	struct pool_request *request;

	pthread_mutex_lock(&pool->lock);
	request = TAILQ_FIRST(&pool->requests);
	if (request) {
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
	struct pool_entry *entry;
	struct pool_request *request;

	pthread_mutex_lock(&pool->lock);
	pool->closed = true;
	pthread_mutex_unlock(&pool->lock);
	while ((entry = next_to_drop(pool)))
		call_owner(entry);
	while ((request = next_to_disappoint(pool)))
		answer(request, NULL);
}

struct pool_request *
pool_take(struct pool *pool, const struct pool_asker *asker)
{
	struct pool_request *request = calloc(1, sizeof *request);

	if (!request)
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

	if (!request)
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
