/*
 * Gives parked channels to the flows that ask for one, and lets flows wait when there is none.
 *
 * An entry is PARKED while in the pool's list; TAKEN from the moment somebody
 * decided its fate until its owner has heard of it.  A request is QUEUED until
 * an entry is found for it, then COMING until it is answered; it is QUEUED again
 * where that channel was lost on its way.  All moves are made under the pool's lock.
 */
#include "relay/pool.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include "base/address.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "relay/fair_lines.h"

enum { LOOKED_AT = 16, AS_GOOD_MS = 2000 };

enum request_state { QUEUED, COMING, CANCELLED, REQUEST_STATES };

struct pool_request {
	struct call call;
	struct fair_waiter place;
	struct pool *pool;
	struct pool_asker asker;
	enum request_state state;
	struct channel *channel;
};

struct pool {
	pthread_mutex_t lock;
	atomic_uint held;
	struct pool_settings settings;
	TAILQ_HEAD(pool_entries, pool_entry) entries; /* the most recently verified first */
	struct fair_lines lines;                      /* of requests */
	unsigned parked;
	uint64_t trusted_from_ms; /* what was verified before is not */
	bool closed, drains;
};

static void
move_entry(struct pool_entry *entry, enum pool_entry_state to)
{
	static const char *const name[] = { "free", "parked", "taken" };
	static const unsigned may_move[] = {
		[POOL_ENTRY_FREE] = 1u << POOL_ENTRY_PARKED,
		[POOL_ENTRY_PARKED] = 1u << POOL_ENTRY_TAKEN | 1u << POOL_ENTRY_FREE,
		[POOL_ENTRY_TAKEN] = 0, /* its owner ends it */
	};

	assert(may_move[entry->state] & 1u << to);
	log_move("pool-entry", log_object("entry", entry), name[entry->state], name[to]);
	entry->state = to;
}

static void
move_request(struct pool_request *request, enum request_state to)
{
	static const char *const name[REQUEST_STATES] = { "queued", "coming", "cancelled" };
	/* It stays where it is when it is queued at first, and when a lost channel is replaced at once. */
	static const unsigned may_move[REQUEST_STATES] = {
		[QUEUED] = 1u << QUEUED | 1u << COMING | 1u << CANCELLED,
		[COMING] = 1u << COMING | 1u << QUEUED | 1u << CANCELLED,
	};

	assert(may_move[request->state] & 1u << to);
	log_move("pool-request", log_object("request", request), name[request->state], name[to]);
	request->state = to;
}

struct pool *
pool_new(const struct pool_settings *settings)
{
	struct pool *pool = calloc(1, sizeof *pool);

	if (!pool || !fair_lines_init(&pool->lines, settings->most_waiting)) {
		free(pool);
		return NULL;
	}
	pool->settings = *settings;
	if (settings->usage)
		usage_hold(settings->usage);
	atomic_init(&pool->held, 1);
	pthread_mutex_init(&pool->lock, NULL);
	TAILQ_INIT(&pool->entries);
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
	fair_lines_wipe(&pool->lines);
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

/* ---- requests ---- */

/* Under the lock: it waits, as the next one if it had a channel already. */
static void
enqueue(struct pool *pool, struct pool_request *request)
{
	bool is_next = request->state == COMING;

	move_request(request, QUEUED);
	fair_lines_enter(&pool->lines, &request->place, is_next);
}

/* Under the lock.  NULL when nobody waits. */
static struct pool_request *
dequeue_next(struct pool *pool)
{
	struct fair_waiter *next = fair_lines_next(&pool->lines);

	return next ? container_of(next, struct pool_request, place) : NULL;
}

static void
free_request(struct pool_request *request)
{
	struct pool *pool = request->pool;

	pthread_mutex_lock(&pool->lock);
	fair_lines_forget(&pool->lines, &request->place);
	pthread_mutex_unlock(&pool->lock);
	pool_release(pool);
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
	move_entry(entry, POOL_ENTRY_TAKEN);
	entry->request = request;
	if (request)
		move_request(request, COMING);
}

static bool
is_trusted(const struct pool *pool, const struct pool_entry *entry)
{
	return entry && entry->verified_ms >= pool->trusted_from_ms;
}

/* The one for this asker: the most recently verified, or one of his own that is as good. NULL: none. */
static struct pool_entry *
best_for(struct pool *pool, const struct loop *asker)
{
	struct pool_entry *first = TAILQ_FIRST(&pool->entries), *entry = first;

	if (!is_trusted(pool, first))
		return NULL;
	for (int i = 0; i < LOOKED_AT && entry; i++, entry = TAILQ_NEXT(entry, link)) {
		if (first->verified_ms - entry->verified_ms > AS_GOOD_MS ||
		    !is_trusted(pool, entry))
			break;
		if (entry->loop == asker)
			return entry;
	}
	return first;
}

static void let_go(void *entry);

/* The entry is assigned: its owner is asked for the channel, or told that nobody wants it. */
static void
call_owner(struct pool_entry *entry)
{
	loop_call(entry->loop, &entry->call, let_go, entry);
}

enum outcome { FOUND, WAITS, NEVER, UNWANTED, TOO_LONG, NO_MEMORY };

/* Under the lock. */
static enum outcome
wait(struct pool *pool, struct pool_request *request)
{
	static const enum outcome outcomes[] = {
		[FAIR_FINE] = WAITS, [FAIR_TOO_LONG] = TOO_LONG, [FAIR_NO_MEMORY] = NO_MEMORY
	};
	enum fair_verdict verdict =
	    fair_lines_admit(&pool->lines, &request->place, request->state == QUEUED);

	if (verdict == FAIR_FINE)
		enqueue(pool, request);
	return outcomes[verdict];
}

/* Finds an entry for the request or lets it wait; with TOO_LONG and NO_MEMORY it is as it was. Who is to be
 * called is called after the lock. */
static enum outcome
seek(struct pool *pool, struct pool_request *request)
{
	struct pool_entry *entry = NULL;
	enum outcome outcome;

	pthread_mutex_lock(&pool->lock);
	if (request->state == CANCELLED) {
		outcome = UNWANTED;
	} else if (pool->closed) {
		outcome = NEVER;
		move_request(request, COMING);
	} else if ((entry = best_for(pool, request->asker.loop))) {
		outcome = FOUND;
		assign(pool, entry, request);
	} else if (pool->drains) {
		outcome = NEVER;
		move_request(request, COMING);
	} else {
		outcome = wait(pool, request);
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
	case TOO_LONG:
	case NO_MEMORY:
		break;
	}
	return outcome;
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
	} else if (seek(pool, request) == NO_MEMORY) {
		memory_short("the place of a flow that waits for a channel again");
		answer(request, NULL);
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
		move_entry(entry, POOL_ENTRY_PARKED);
		entry->verified_ms = clock_ms();
		TAILQ_INSERT_HEAD(&pool->entries, entry, link);
		request = dequeue_next(pool);
	}
	if (request)
		assign(pool, entry, request);
	pthread_mutex_unlock(&pool->lock);
	if (request)
		call_owner(entry);
	return verdict;
}

void
pool_verified(struct pool_entry *entry)
{
	struct pool *pool = entry->pool;
	struct pool_request *request = NULL;

	pthread_mutex_lock(&pool->lock);
	if (entry->state == POOL_ENTRY_PARKED) {
		entry->verified_ms = clock_ms();
		TAILQ_REMOVE(&pool->entries, entry, link);
		TAILQ_INSERT_HEAD(&pool->entries, entry, link);
		request = dequeue_next(pool); /* who waits although something is parked */
	}
	if (request)
		assign(pool, entry, request);
	pthread_mutex_unlock(&pool->lock);
	if (request)
		call_owner(entry);
}

static void
ask_owner(void *data)
{
	struct pool_entry *entry = data;

	atomic_store(&entry->is_asked, false);
	entry->kind->ask(entry);
}

bool
pool_is_asking(const struct pool_entry *entry)
{
	return atomic_load(&entry->is_asked);
}

void
pool_distrust(struct pool *pool)
{
	struct pool_entry *entry;

	pthread_mutex_lock(&pool->lock);
	pool->trusted_from_ms = clock_ms();
	TAILQ_FOREACH(entry, &pool->entries, link)
		if (!atomic_exchange(&entry->is_asked, true))
			loop_call(entry->loop, &entry->asking, ask_owner, entry);
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
		move_entry(entry, POOL_ENTRY_FREE);
		out = true;
	}
	pthread_mutex_unlock(&pool->lock);
	if (out) {
		entry->pool = NULL;
		pool_release(pool);
	}
	return out;
}

static struct pool_entry *
next_to_yield(struct pool *pool)
{
	struct pool_entry *entry = NULL;
	char why[USAGE_WHY];

	pthread_mutex_lock(&pool->lock);
	if (usage_owes(pool->settings.usage, USAGE_PARKED, why))
		entry = TAILQ_LAST(&pool->entries, pool_entries);
	if (entry)
		assign(pool, entry, NULL);
	pthread_mutex_unlock(&pool->lock);
	return entry;
}

void
pool_yield(struct pool *pool)
{
	struct pool_entry *entry;

	while ((entry = next_to_yield(pool)))
		call_owner(entry);
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
	request = dequeue_next(pool);
	if (request)
		move_request(request, COMING);
	pthread_mutex_unlock(&pool->lock);
	return request;
}

void
pool_disappoint(struct pool *pool)
{
	struct pool_request *request;

	while ((request = next_to_disappoint(pool)))
		answer(request, NULL);
}

/* Nobody will wait from now on. */
static void
disappoint_all(struct pool *pool, bool *reason)
{
	pthread_mutex_lock(&pool->lock);
	*reason = true;
	pthread_mutex_unlock(&pool->lock);
	pool_disappoint(pool);
}

void
pool_drain(struct pool *pool)
{
	disappoint_all(pool, &pool->drains);
}

void
pool_close(struct pool *pool)
{
	struct pool_entry *entry;

	disappoint_all(pool, &pool->closed);
	while ((entry = next_to_drop(pool)))
		call_owner(entry);
}

static struct pool_request *
new_request(struct pool *pool, const struct pool_asker *asker)
{
	struct pool_request *request = calloc(1, sizeof *request);

	if (!request)
		return NULL;
	request->asker = *asker;
	request->asker.client = NULL;
	request->place.client = ip_address_of(asker->client);
	request->pool = hold(pool);
	return request;
}

struct pool_request *
pool_take(struct pool *pool, const struct pool_asker *asker, enum pool_refusal *why)
{
	struct pool_request *request = new_request(pool, asker);
	enum outcome outcome = request ? seek(pool, request) : NO_MEMORY;

	if (outcome != TOO_LONG && outcome != NO_MEMORY)
		return request;
	*why = outcome == TOO_LONG ? POOL_REFUSED_WAITING : POOL_REFUSED_MEMORY;
	if (request)
		free_request(request);
	return NULL;
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
	if (queued)
		fair_lines_leave(&pool->lines, &request->place);
	move_request(request, CANCELLED);
	pthread_mutex_unlock(&pool->lock);
	if (queued)
		free_request(request);
}

bool
pool_is_over(struct pool *pool)
{
	bool is_over;

	pthread_mutex_lock(&pool->lock);
	is_over = pool->closed || pool->drains;
	pthread_mutex_unlock(&pool->lock);
	return is_over;
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

bool
pool_is_too_big(struct pool *pool, uint64_t least)
{
	return pool_parked(pool) > least && pool->settings.usage &&
	    usage_is_over_share(pool->settings.usage, USAGE_PARKED);
}

unsigned
pool_waiting(struct pool *pool)
{
	unsigned waiting;

	pthread_mutex_lock(&pool->lock);
	waiting = (unsigned)fair_lines_waiting(&pool->lines);
	pthread_mutex_unlock(&pool->lock);
	return waiting;
}
