/*
 * An entry is PARKED while in the pool's list; TAKEN from the moment somebody
 * decided its fate until its owner has heard of it.  A request is QUEUED until
 * an entry is found for it, then COMING until it is answered.  Both changes are
 * made under the pool's lock.
 *
 * A line stays for as long as one of its requests lives, so that a request whose
 * channel was lost on its way comes back to the head of its line without memory.
 */
#include "relay/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include "base/address.h"
#include "base/clock.h"
#include "base/hash.h"

enum { LOOKED_AT = 16, AS_GOOD_MS = 2000 };

enum request_state { QUEUED, COMING, CANCELLED };

/* Requests of one network, the longest waiting first. */
struct pool_line {
	struct hash_link link;
	TAILQ_ENTRY(pool_line) turn; /* while somebody waits in it */
	struct prefix network;
	TAILQ_HEAD(, pool_request) requests;
	uint64_t waiting;
	unsigned held; /* requests that know it */
};

struct pool_request {
	struct call call;
	TAILQ_ENTRY(pool_request) link;
	struct pool *pool;
	struct pool_line *line;
	struct pool_asker asker;
	enum request_state state;
	struct channel *channel;
};

struct pool {
	pthread_mutex_t lock;
	atomic_uint held;
	struct pool_settings settings;
	TAILQ_HEAD(pool_entries, pool_entry) entries; /* the most recently verified first */
	struct table lines;
	TAILQ_HEAD(, pool_line) turns; /* those where somebody waits, the next first */
	unsigned parked, waiting;
	bool closed;
};

struct pool *
pool_new(const struct pool_settings *settings)
{
	struct pool *pool = calloc(1, sizeof *pool);

	if (!pool || !table_init(&pool->lines)) {
		free(pool);
		return NULL;
	}
	pool->settings = *settings;
	if (settings->usage)
		usage_hold(settings->usage);
	atomic_init(&pool->held, 1);
	pthread_mutex_init(&pool->lock, NULL);
	TAILQ_INIT(&pool->entries);
	TAILQ_INIT(&pool->turns);
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
	table_wipe(&pool->lines);
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

/* ---- lines; all under the lock ---- */

static bool
has_network(const struct hash_link *at, const void *network)
{
	return prefix_equals(&container_of(at, const struct pool_line, link)->network, network);
}

/* The line of this client, held; NULL when memory is short. */
static struct pool_line *
line_of(struct pool *pool, const struct address *client)
{
	struct prefix network = prefix_block(client, BLOCK_NETWORK);
	uint64_t hash = prefix_hash(&network, pool->lines.key);
	struct hash_link *at = table_find(&pool->lines, hash, has_network, &network);
	struct pool_line *line = at ? container_of(at, struct pool_line, link) : NULL;

	if (!line && (line = calloc(1, sizeof *line))) {
		line->network = network;
		TAILQ_INIT(&line->requests);
		table_add(&pool->lines, &line->link, hash);
	}
	if (line)
		line->held++;
	return line;
}

static void
line_release(struct pool *pool, struct pool_line *line)
{
	if (!line || --line->held > 0)
		return;
	table_remove(&pool->lines, &line->link);
	free(line);
}

static bool
is_too_long(const struct pool *pool, const struct pool_line *line)
{
	uint64_t most = pool->settings.most_waiting;

	return most > 0 && line->waiting + pool->waiting >= most;
}

/* At the head if it had a channel already. */
static void
enqueue(struct pool *pool, struct pool_request *request)
{
	struct pool_line *line = request->line;

	if (request->state == COMING)
		TAILQ_INSERT_HEAD(&line->requests, request, link);
	else
		TAILQ_INSERT_TAIL(&line->requests, request, link);
	request->state = QUEUED;
	if (line->waiting++ == 0)
		TAILQ_INSERT_TAIL(&pool->turns, line, turn);
	pool->waiting++;
}

static void
dequeue(struct pool *pool, struct pool_request *request)
{
	struct pool_line *line = request->line;

	TAILQ_REMOVE(&line->requests, request, link);
	if (--line->waiting == 0)
		TAILQ_REMOVE(&pool->turns, line, turn);
	pool->waiting--;
}

/* Out of the line whose turn it is, which goes behind the others; NULL when nobody waits. */
static struct pool_request *
dequeue_next(struct pool *pool)
{
	struct pool_line *line = TAILQ_FIRST(&pool->turns);
	struct pool_request *request;

	if (!line)
		return NULL;
	TAILQ_REMOVE(&pool->turns, line, turn);
	TAILQ_INSERT_TAIL(&pool->turns, line, turn);
	request = TAILQ_FIRST(&line->requests);
	dequeue(pool, request);
	return request;
}

/* ---- requests ---- */

static void
free_request(struct pool_request *request)
{
	struct pool *pool = request->pool;

	pthread_mutex_lock(&pool->lock);
	line_release(pool, request->line);
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
	entry->state = POOL_ENTRY_TAKEN;
	entry->request = request;
	if (request)
		request->state = COMING;
}

/* The one for this asker: the most recently verified, or one of his own that is as good. NULL: none. */
static struct pool_entry *
best_for(struct pool *pool, const struct loop *asker)
{
	struct pool_entry *first = TAILQ_FIRST(&pool->entries), *entry = first;

	for (int i = 0; i < LOOKED_AT && entry; i++, entry = TAILQ_NEXT(entry, link)) {
		if (first->verified_ms - entry->verified_ms > AS_GOOD_MS)
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

/* Finds an entry for the request or lets it wait; false: its line is too long. Who is to be called is
 * called after the lock. */
static bool
seek(struct pool *pool, struct pool_request *request)
{
	struct pool_entry *entry = NULL;
	enum { FOUND, WAITS, NEVER, UNWANTED, REFUSED } outcome;

	pthread_mutex_lock(&pool->lock);
	if (request->state == CANCELLED) {
		outcome = UNWANTED;
	} else if (pool->closed) {
		outcome = NEVER;
		request->state = COMING;
	} else if ((entry = best_for(pool, request->asker.loop))) {
		outcome = FOUND;
		assign(pool, entry, request);
	} else if (request->state == QUEUED && is_too_long(pool, request->line)) {
		outcome = REFUSED;
	} else {
		outcome = WAITS;
		enqueue(pool, request);
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
	case REFUSED:
		break;
	}
	return outcome != REFUSED;
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
		(void)seek(pool, request); /* which does not refuse who had a channel already */
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

	pthread_mutex_lock(&pool->lock);
	if (entry->state == POOL_ENTRY_PARKED) {
		entry->verified_ms = clock_ms();
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
		request->state = COMING;
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

static struct pool_request *
new_request(struct pool *pool, const struct pool_asker *asker)
{
	struct pool_request *request = calloc(1, sizeof *request);

	if (!request)
		return NULL;
	request->asker = *asker;
	request->asker.client = NULL;
	request->pool = hold(pool);
	pthread_mutex_lock(&pool->lock);
	request->line = line_of(pool, asker->client);
	pthread_mutex_unlock(&pool->lock);
	if (request->line)
		return request;
	free_request(request);
	return NULL;
}

struct pool_request *
pool_take(struct pool *pool, const struct pool_asker *asker, enum pool_refusal *why)
{
	struct pool_request *request = new_request(pool, asker);

	*why = POOL_REFUSED_MEMORY;
	if (!request || seek(pool, request))
		return request;
	*why = POOL_REFUSED_WAITING;
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
		dequeue(pool, request);
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

bool
pool_is_too_big(struct pool *pool, uint64_t least)
{
	return pool_parked(pool) > least && pool->settings.usage &&
	    usage_is_crowded(pool->settings.usage, USAGE_PARKED);
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
