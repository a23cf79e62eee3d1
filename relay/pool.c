/*
 * Gives parked channels to the flows that ask for one, and lets flows wait when there is none.
 *
 * An entry is PARKED while in the pool's list; TAKEN from the moment somebody
 * decided its fate until its owner has heard of it.  A request is QUEUED until
 * an entry is found for it, then COMING until it is answered; it is QUEUED again
 * where that channel was lost on its way.  All moves are made under the pool's lock.
 *
 * Lines are made when somebody has to wait.  One stays for as long as a request of
 * it lives, so that a request whose channel was lost on its way comes back to its
 * head without memory.
 */
#include "relay/pool.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include "base/address.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"

enum { LOOKED_AT = 16, AS_GOOD_MS = 2000 };

enum request_state { QUEUED, COMING, CANCELLED, REQUEST_STATES };

/* Requests wait in the line of their host, which has its turns in the line of its network, and that in the
 * line of all. */
struct pool_line {
	struct hash_link link;
	TAILQ_ENTRY(pool_line) turn; /* while somebody waits in it */
	struct pool_line *above;     /* held; NULL: this is the line of all */
	struct prefix block;
	TAILQ_HEAD(, pool_line) turns;       /* lines below where somebody waits, the next first */
	TAILQ_HEAD(, pool_request) requests; /* of a host, the longest waiting first */
	uint64_t waiting;                    /* here and below */
	unsigned held;                       /* by requests, and lines below */
};

struct pool_request {
	struct call call;
	TAILQ_ENTRY(pool_request) link;
	struct pool *pool;
	struct pool_line *line; /* from the first time on that it has to wait; held */
	struct pool_asker asker;
	struct ip_address client;
	enum request_state state;
	struct channel *channel;
};

struct pool {
	pthread_mutex_t lock;
	atomic_uint held;
	struct pool_settings settings;
	TAILQ_HEAD(pool_entries, pool_entry) entries; /* the most recently verified first */
	struct table lines;                           /* of hosts and networks */
	struct pool_line all;
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
	TAILQ_INIT(&pool->all.turns);
	pool->all.held = 1;
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
has_block(const struct hash_link *at, const void *block)
{
	return prefix_equals(&container_of(at, const struct pool_line, link)->block, block);
}

/* The line of this block, held; NULL when memory is short. */
static struct pool_line *
line_of(struct pool *pool, const struct prefix *block, struct pool_line *above)
{
	uint64_t hash = prefix_hash(block, pool->lines.key);
	struct hash_link *at = table_find(&pool->lines, hash, has_block, block);
	struct pool_line *line = at ? container_of(at, struct pool_line, link) : NULL;

	if (!line && (line = calloc(1, sizeof *line))) {
		line->block = *block;
		line->above = above;
		above->held++;
		TAILQ_INIT(&line->turns);
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
	while (line && --line->held == 0) {
		struct pool_line *above = line->above;

		table_remove(&pool->lines, &line->link);
		free(line);
		line = above;
	}
}

/* Gives the request the line of its host; false when memory is short. */
static bool
find_line(struct pool *pool, struct pool_request *request)
{
	const struct address client = address_of_ip(&request->client);
	const struct prefix network = prefix_block(&client, BLOCK_NETWORK);
	const struct prefix host = prefix_block(&client, BLOCK_HOST);
	struct pool_line *above;

	if (request->line)
		return true;
	above = line_of(pool, &network, &pool->all);
	if (above)
		request->line = line_of(pool, &host, above);
	line_release(pool, above);
	return request->line;
}

/* No line may be longer than the places that those above it have left. */
static bool
is_too_long(const struct pool *pool, const struct pool_line *line)
{
	uint64_t most = pool->settings.most_waiting, sum = 0;

	for (; line; line = line->above)
		sum += line->waiting;
	return most > 0 && sum >= most;
}

/* One more waits in this line, behind the others of the line above or before them. */
static void
wait_in(struct pool_line *line, bool is_next)
{
	bool has_turn = line->waiting++ > 0;

	if (has_turn && is_next)
		TAILQ_REMOVE(&line->above->turns, line, turn);
	if (is_next)
		TAILQ_INSERT_HEAD(&line->above->turns, line, turn);
	else if (!has_turn)
		TAILQ_INSERT_TAIL(&line->above->turns, line, turn);
}

/* It is the next one if it had a channel already. */
static void
enqueue(struct pool *pool, struct pool_request *request)
{
	bool is_next = request->state == COMING;
	struct pool_line *line = request->line;

	if (is_next)
		TAILQ_INSERT_HEAD(&line->requests, request, link);
	else
		TAILQ_INSERT_TAIL(&line->requests, request, link);
	move_request(request, QUEUED);
	for (; line->above; line = line->above)
		wait_in(line, is_next);
	pool->all.waiting++;
}

static void
dequeue(struct pool *pool, struct pool_request *request)
{
	struct pool_line *line = request->line;

	TAILQ_REMOVE(&line->requests, request, link);
	for (; line->above; line = line->above)
		if (--line->waiting == 0)
			TAILQ_REMOVE(&line->above->turns, line, turn);
	pool->all.waiting--;
}

/* Out of the line below whose turn it is, which goes behind the others. */
static struct pool_line *
next_below(struct pool_line *line)
{
	struct pool_line *next = TAILQ_FIRST(&line->turns);

	TAILQ_REMOVE(&line->turns, next, turn);
	TAILQ_INSERT_TAIL(&line->turns, next, turn);
	return next;
}

/* NULL when nobody waits. */
static struct pool_request *
dequeue_next(struct pool *pool)
{
	struct pool_line *line = &pool->all;
	struct pool_request *request;

	if (line->waiting == 0)
		return NULL;
	while (!TAILQ_EMPTY(&line->turns))
		line = next_below(line);
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
	} else if (!find_line(pool, request)) {
		outcome = NO_MEMORY;
	} else if (request->state == QUEUED && is_too_long(pool, request->line)) {
		outcome = TOO_LONG;
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
	request->client = ip_address_of(asker->client);
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
		dequeue(pool, request);
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
	waiting = (unsigned)pool->all.waiting;
	pthread_mutex_unlock(&pool->lock);
	return waiting;
}
