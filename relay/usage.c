/*
 * Counts what each agent's identity, and each CA above it, has of the relay, and finds out who must
 * leave where the relay has no more room.
 *
 * One lock holds all of it.  Counters are a tree: the anchors, below each the CAs
 * that it has issued for, and at the ends the identities, with the accounts of
 * their sessions.  Each keeps those below it in a heap for each kind, who has most
 * first and of equals who has come last, so that finding out who must leave is a
 * way down the tree.
 *
 * A CA that two anchors vouch for stands below the one that was seen first.
 */
#include "relay/usage.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include "base/hash.h"
#include "base/heap.h"
#include "base/numbers.h"
#include "pki/identity.h"

/* In the heap of the one above while the count is not 0. */
struct usage_rank {
	struct heap_node node;
	uint64_t newest; /* when the last one has come: a number of the table */
	uint32_t count;
};

struct usage_counter {
	struct hash_link link;
	struct usage_counter *above; /* held; NULL: it is an anchor */
	unsigned held;
	uint8_t key[IDENTITY_KEY_BYTES];
	struct usage_rank ranks[USAGE_KINDS];
	struct heap below[USAGE_KINDS];
	LIST_HEAD(, usage) accounts; /* of an identity, the newest first */
};

struct usage_table {
	pthread_mutex_t lock;
	struct table table;
	struct heap anchors[USAGE_KINDS];
	struct usage_bounds bounds;
	uint64_t total[USAGE_KINDS];
	uint64_t came; /* so many have come */
};

struct usage_level {
	struct usage_counter *counter;
	uint32_t most[USAGE_KINDS]; /* its own numbers, 0: it has none */
};

struct usage {
	atomic_uint held;
	struct usage_table *all;
	struct identity *identity;
	LIST_ENTRY(usage) link; /* among the accounts of its identity */
	uint32_t counts[USAGE_KINDS], owed[USAGE_KINDS];
	void (*on_owing)(void *arg); /* NULL: it cannot be told */
	void *arg;
	size_t count, tenant; /* levels, and which of them is the tenant */
	struct usage_level levels[];
};

/* Why nobody may enter, as it was under the lock; it is put into words after that. */
struct usage_obstacle {
	enum { OBSTACLE_NONE, OBSTACLE_LEVEL, OBSTACLE_SHARE, OBSTACLE_FULL } what;
	size_t level;
	uint64_t most, total, tenants;
};

enum { WHO = IDENTITY_LEVEL_NAME + 120 };

static const struct {
	const char *number, *setting, *in_all, *what;
	bool is_given_elsewhere; /* who has no place in all is sent away by others */
} words[USAGE_KINDS] = {
	[USAGE_SESSIONS] = { "maxSessions", "limits.sessions_per_identity", "limits.sessions",
	    "sessions", false },
	[USAGE_FLOWS] = { "maxFlows", "limits.flows_per_identity", "limits.flows", "flows", true },
	[USAGE_PARKED] = { NULL, "limits.channels_per_identity", "limits.channels",
	    "parked channels", false },
	[USAGE_ENDPOINTS] = { NULL, NULL, "limits.endpoints", "endpoints", false },
};

/* The heap's order. */
static bool
has_more(const struct heap_node *one, const struct heap_node *other)
{
	const struct usage_rank *a = container_of(one, const struct usage_rank, node);
	const struct usage_rank *b = container_of(other, const struct usage_rank, node);

	return a->count != b->count ? a->count > b->count : a->newest > b->newest;
}

static void
init_heaps(struct heap heaps[USAGE_KINDS])
{
	for (enum usage_kind kind = 0; kind < USAGE_KINDS; kind++)
		heap_init(&heaps[kind], has_more);
}

struct usage_table *
usage_table_new(void)
{
	struct usage_table *all = calloc(1, sizeof *all);

	if (!all || !table_init(&all->table)) {
		free(all);
		return NULL;
	}
	init_heaps(all->anchors);
	pthread_mutex_init(&all->lock, NULL);
	return all;
}

void
usage_table_free(struct usage_table *all)
{
	if (!all)
		return;
	table_wipe(&all->table);
	pthread_mutex_destroy(&all->lock);
	free(all);
}

void
usage_set_bounds(struct usage_table *all, const struct usage_bounds *bounds)
{
	pthread_mutex_lock(&all->lock);
	all->bounds = *bounds;
	pthread_mutex_unlock(&all->lock);
}

/* ---- accounts ---- */

static bool
has_key(const struct hash_link *at, const void *key)
{
	return memcmp(container_of(at, const struct usage_counter, link)->key, key,
		   IDENTITY_KEY_BYTES) == 0;
}

static struct usage_counter *
new_counter(struct usage_table *all, const uint8_t *key, struct usage_counter *above)
{
	struct usage_counter *counter = calloc(1, sizeof *counter);

	if (!counter)
		return NULL;
	memcpy(counter->key, key, IDENTITY_KEY_BYTES);
	init_heaps(counter->below);
	counter->above = above;
	if (above)
		above->held++;
	table_add(&all->table, &counter->link, table_hash(&all->table, key, IDENTITY_KEY_BYTES));
	return counter;
}

/* Under the lock; held. NULL when memory is short. */
static struct usage_counter *
counter_of(struct usage_table *all, const uint8_t *key, struct usage_counter *above)
{
	uint64_t hash = table_hash(&all->table, key, IDENTITY_KEY_BYTES);
	struct hash_link *at = table_find(&all->table, hash, has_key, key);
	struct usage_counter *counter =
	    at ? container_of(at, struct usage_counter, link) : new_counter(all, key, above);

	if (counter)
		counter->held++;
	return counter;
}

static void
counter_release(struct usage_table *all, struct usage_counter *counter)
{
	while (counter && --counter->held == 0) {
		struct usage_counter *above = counter->above;

		table_remove(&all->table, &counter->link);
		free(counter);
		counter = above;
	}
}

static size_t
level_count(const struct identity *identity)
{
	struct identity_level level;
	size_t count = 0;

	while (count < IDENTITY_LEVELS_MOST && identity_level(identity, count, &level))
		count++;
	return count;
}

/* Under the lock, from the anchor down. */
static bool
add_levels(struct usage *usage)
{
	struct usage_counter *above = NULL;

	for (size_t i = usage->count; i-- > 0;) {
		struct identity_level level;

		identity_level(usage->identity, i, &level);
		above = counter_of(usage->all, level.key, above);
		if (!above)
			return false;
		if (level.has_grant)
			usage->tenant = larger_of(usage->tenant, i);
		usage->levels[i] = (struct usage_level){
			above,
			{ [USAGE_SESSIONS] = level.max_sessions, [USAGE_FLOWS] = level.max_flows }
		};
	}
	assert(above); /* everybody is an identity at least */
	LIST_INSERT_HEAD(&above->accounts, usage, link);
	return true;
}

struct usage *
usage_of(struct usage_table *all, struct identity *identity)
{
	size_t count = level_count(identity);
	struct usage *usage = calloc(1, sizeof *usage + count * sizeof(struct usage_level));
	bool is_whole;

	if (!usage)
		return NULL;
	atomic_init(&usage->held, 1);
	usage->all = all;
	usage->identity = identity_hold(identity);
	usage->count = count;
	pthread_mutex_lock(&all->lock);
	is_whole = add_levels(usage);
	pthread_mutex_unlock(&all->lock);
	if (is_whole)
		return usage;
	usage_release(usage);
	return NULL;
}

struct usage *
usage_hold(struct usage *usage)
{
	atomic_fetch_add(&usage->held, 1);
	return usage;
}

void
usage_set_owner(struct usage *usage, void (*on_owing)(void *arg), void *arg)
{
	bool owes = false;

	pthread_mutex_lock(&usage->all->lock);
	usage->on_owing = on_owing;
	usage->arg = arg;
	for (enum usage_kind kind = 0; kind < USAGE_KINDS; kind++)
		owes |= usage->owed[kind] > 0;
	if (owes && on_owing)
		on_owing(arg);
	pthread_mutex_unlock(&usage->all->lock);
}

/* ---- counting; all under the lock ---- */

static void
recount(struct usage_table *all, struct usage_counter *counter, enum usage_kind kind, int change)
{
	struct heap *heap = counter->above ? &counter->above->below[kind] : &all->anchors[kind];
	struct usage_rank *rank = &counter->ranks[kind];

	if (rank->count > 0)
		heap_remove(heap, &rank->node);
	rank->count += (uint32_t)change;
	if (change > 0)
		rank->newest = ++all->came;
	if (rank->count > 0)
		heap_add(heap, &rank->node);
}

static bool
has_counter(const struct usage *usage, const struct usage_counter *counter)
{
	for (size_t i = 0; usage && i < usage->count; i++)
		if (usage->levels[i].counter == counter)
			return true;
	return false;
}

/* Counts it in (1) or out (-1) at its levels, but for those that `kept` (may be NULL) has, too. */
static void
recount_levels(struct usage *usage, enum usage_kind kind, int change, const struct usage *kept)
{
	usage->counts[kind] += (uint32_t)change;
	for (size_t i = 0; i < usage->count; i++)
		if (!has_counter(kept, usage->levels[i].counter))
			recount(usage->all, usage->levels[i].counter, kind, change);
}

static void
count_in(struct usage *usage, enum usage_kind kind)
{
	recount_levels(usage, kind, 1, NULL);
	usage->all->total[kind]++;
}

static void
count_out(struct usage *usage, enum usage_kind kind)
{
	assert(usage->counts[kind] > 0);
	recount_levels(usage, kind, -1, NULL);
	usage->all->total[kind]--;
}

static uint64_t
count_at(const struct usage *usage, size_t level, enum usage_kind kind)
{
	return usage->levels[level].counter->ranks[kind].count;
}

static uint64_t
bound_of(const struct usage *usage, size_t level, enum usage_kind kind)
{
	uint32_t own = usage->levels[level].most[kind];

	return own > 0 || level > 0 ? own : usage->all->bounds.per_identity[kind];
}

/* From the identity upwards, so that whoever is refused by a number that another one is about to give
 * back would be refused by what stands in that one's way, too. */
static void
ask_levels(const struct usage *usage, enum usage_kind kind, const struct usage *from,
    struct usage_obstacle *out)
{
	for (size_t i = 0; i < usage->count; i++) {
		uint64_t most = bound_of(usage, i, kind);

		if (most == 0 || count_at(usage, i, kind) < most ||
		    has_counter(from, usage->levels[i].counter))
			continue;
		*out = (struct usage_obstacle){ .what = OBSTACLE_LEVEL, .level = i, .most = most };
		return;
	}
}

/* ---- who leaves; all under the lock ---- */

/* Of one identity, the newest first; `preferred` (may be NULL) if it has as many as any. */
static struct usage *
heaviest_account(
    const struct usage_counter *identity, enum usage_kind kind, struct usage *preferred)
{
	struct usage *heaviest = preferred ? preferred : LIST_FIRST(&identity->accounts), *at;

	LIST_FOREACH(at, &identity->accounts, link)
		if (at->counts[kind] > heaviest->counts[kind])
			heaviest = at;
	return heaviest;
}

static struct usage_counter *
heaviest_counter(const struct heap *heap, enum usage_kind kind)
{
	struct usage_rank *rank =
	    heap->first ? container_of(heap->first, struct usage_rank, node) : NULL;

	return rank ? container_of(rank - kind, struct usage_counter, ranks[0]) : NULL;
}

/* Down the tree, always to who has most.  The newcomer is counted already, and where its own side has as
 * many as any other the way goes on there: it may be the newcomer itself. */
static struct usage *
heaviest(struct usage *newcomer, enum usage_kind kind)
{
	const struct heap *heap = &newcomer->all->anchors[kind];
	struct usage_counter *at = NULL;
	size_t level = newcomer->count;
	bool is_own = true;

	while (!at || LIST_EMPTY(&at->accounts)) {
		struct usage_counter *top = heaviest_counter(heap, kind);
		struct usage_counter *own = is_own ? newcomer->levels[--level].counter : NULL;

		is_own = own && (!top || own->ranks[kind].count >= top->ranks[kind].count);
		at = is_own ? own : top;
		if (!at)
			return newcomer; /* two anchors vouch for who has most */
		heap = &at->below[kind];
	}
	return heaviest_account(at, kind, is_own ? newcomer : NULL);
}

/* False: it is the newcomer that must leave. */
static bool
make_room(struct usage *newcomer, enum usage_kind kind)
{
	struct usage *leaver = heaviest(newcomer, kind);

	if (leaver == newcomer || words[kind].is_given_elsewhere)
		return leaver != newcomer;
	count_out(leaver, kind);
	leaver->owed[kind]++;
	if (leaver->on_owing)
		leaver->on_owing(leaver->arg);
	return true;
}

static void
enter(struct usage *usage, enum usage_kind kind, struct usage_obstacle *out)
{
	uint64_t most = usage->all->bounds.in_all[kind], total = usage->all->total[kind];
	uint64_t tenants = count_at(usage, usage->tenant, kind);
	bool is_full = most > 0 && total >= most;

	ask_levels(usage, kind, NULL, out);
	if (out->what != OBSTACLE_NONE)
		return;
	*out = (struct usage_obstacle){ .most = most, .total = total, .tenants = tenants };
	if (most > 0 && !is_full && tenants >= (most - total) * USAGE_SHARE) {
		out->what = OBSTACLE_SHARE;
		return;
	}
	count_in(usage, kind);
	if (!is_full || make_room(usage, kind))
		return;
	count_out(usage, kind);
	out->what = OBSTACLE_FULL;
}

static void
take_over(struct usage *usage, struct usage *from, enum usage_kind kind, struct usage_obstacle *out)
{
	if (from->owed[kind] > 0) { /* it has none any more */
		enter(usage, kind, out);
		from->owed[kind] -= out->what == OBSTACLE_NONE;
		return;
	}
	ask_levels(usage, kind, from, out);
	if (out->what != OBSTACLE_NONE)
		return;
	recount_levels(usage, kind, 1, from);
	recount_levels(from, kind, -1, usage);
	if (usage->levels[0].counter != from->levels[0].counter)
		return;
	LIST_REMOVE(usage, link); /* it is as old as what it replaces */
	LIST_INSERT_AFTER(from, usage, link);
}

/* What was never left counts no more, nor is it owed. */
void
usage_release(struct usage *usage)
{
	struct usage_table *all;

	if (!usage || atomic_fetch_sub(&usage->held, 1) > 1)
		return;
	all = usage->all;
	pthread_mutex_lock(&all->lock);
	if (usage->levels[0].counter)
		LIST_REMOVE(usage, link);
	for (enum usage_kind kind = 0; kind < USAGE_KINDS; kind++)
		while (usage->counts[kind] > 0)
			count_out(usage, kind);
	for (size_t i = 0; i < usage->count; i++)
		counter_release(all, usage->levels[i].counter);
	pthread_mutex_unlock(&all->lock);
	identity_release(usage->identity);
	free(usage);
}

/* ---- in words ---- */

/* Who is meant: a CA, or an agent, whose issuer may have called it as he liked. */
static const char *
who_is(const struct usage *usage, size_t level, char out[WHO])
{
	char name[IDENTITY_LEVEL_NAME];

	identity_level_name(usage->identity, level, name);
	if (level > 0)
		snprintf(out, WHO, "the CA '%s'", name);
	else
		snprintf(out, WHO, "'%s' of '%.100s'", name, identity_issuer(usage->identity));
	return out;
}

static void
explain_level(const struct usage *usage, enum usage_kind kind, const struct usage_obstacle *in,
    char why[USAGE_WHY])
{
	char who[WHO];

	who_is(usage, in->level, who);
	if (in->level > 0)
		snprintf(why, USAGE_WHY,
		    "%s of %s is %" PRIu64
		    " for all agents below it together, and so many %s are in use",
		    words[kind].number, who, in->most, words[kind].what);
	else if (usage->levels[0].most[kind] > 0)
		snprintf(why, USAGE_WHY,
		    "%s of the grant of %s is %" PRIu64 ", and so many %s are in use",
		    words[kind].number, who, in->most, words[kind].what);
	else
		snprintf(why, USAGE_WHY, "%s of the relay is %" PRIu64 ", and %s has so many %s",
		    words[kind].setting, in->most, who, words[kind].what);
}

/* True if nothing stands in the way. */
static bool
explain(const struct usage *usage, enum usage_kind kind, const struct usage_obstacle *in,
    char why[USAGE_WHY])
{
	char who[WHO];

	switch (in->what) {
	case OBSTACLE_NONE:
		return true;
	case OBSTACLE_LEVEL:
		explain_level(usage, kind, in, why);
		break;
	case OBSTACLE_SHARE:
		snprintf(why, USAGE_WHY,
		    "%s of the relay is %" PRIu64 ", %" PRIu64
		    " are in use, and of these %s has %" PRIu64 ", which is its share",
		    words[kind].in_all, in->most, in->total, who_is(usage, usage->tenant, who),
		    in->tenants);
		break;
	case OBSTACLE_FULL:
		snprintf(why, USAGE_WHY,
		    "%s of the relay is %" PRIu64
		    ", all are in use, and nobody has more than %s and the CAs above it",
		    words[kind].in_all, in->most, who_is(usage, 0, who));
		break;
	}
	return false;
}

/* ---- what the owner asks for ---- */

bool
usage_enter(struct usage *usage, enum usage_kind kind, char why[USAGE_WHY])
{
	struct usage_obstacle obstacle = { 0 };

	pthread_mutex_lock(&usage->all->lock);
	enter(usage, kind, &obstacle);
	pthread_mutex_unlock(&usage->all->lock);
	return explain(usage, kind, &obstacle, why);
}

bool
usage_take_over(struct usage *usage, struct usage *from, enum usage_kind kind, char why[USAGE_WHY])
{
	struct usage_obstacle obstacle = { 0 };

	pthread_mutex_lock(&usage->all->lock);
	take_over(usage, from, kind, &obstacle);
	pthread_mutex_unlock(&usage->all->lock);
	return explain(usage, kind, &obstacle, why);
}

void
usage_leave(struct usage *usage, enum usage_kind kind)
{
	pthread_mutex_lock(&usage->all->lock);
	if (usage->owed[kind] > 0)
		usage->owed[kind]--;
	else
		count_out(usage, kind);
	pthread_mutex_unlock(&usage->all->lock);
}

bool
usage_owes(struct usage *usage, enum usage_kind kind, char why[USAGE_WHY])
{
	uint64_t most;
	bool owes;

	pthread_mutex_lock(&usage->all->lock);
	owes = usage->owed[kind] > 0;
	most = usage->all->bounds.in_all[kind];
	pthread_mutex_unlock(&usage->all->lock);
	if (owes)
		snprintf(why, USAGE_WHY,
		    "%s of the relay is %" PRIu64
		    ", somebody who has less needed one, and this was the newest of who has most",
		    words[kind].in_all, most);
	return owes;
}

bool
usage_is_over_share(const struct usage *usage, enum usage_kind kind)
{
	struct usage_table *all = usage->all;
	uint64_t own, most;
	bool is_over;

	pthread_mutex_lock(&all->lock);
	own = bound_of(usage, 0, kind);
	most = all->bounds.in_all[kind];
	is_over = (own > 0 && count_at(usage, 0, kind) >= own) ||
	    (most > 0 &&
		count_at(usage, usage->tenant, kind) >
		    difference(most, all->total[kind]) * USAGE_SHARE);
	pthread_mutex_unlock(&all->lock);
	return is_over;
}

uint64_t
usage_total(struct usage_table *all, enum usage_kind kind)
{
	uint64_t total;

	pthread_mutex_lock(&all->lock);
	total = all->total[kind];
	pthread_mutex_unlock(&all->lock);
	return total;
}

static uint64_t
ask_count(const struct usage *usage, size_t level, enum usage_kind kind)
{
	uint64_t count;

	pthread_mutex_lock(&usage->all->lock);
	count = count_at(usage, level, kind);
	pthread_mutex_unlock(&usage->all->lock);
	return count;
}

uint64_t
usage_count(const struct usage *usage, enum usage_kind kind)
{
	return ask_count(usage, 0, kind);
}

uint64_t
usage_tenant_count(const struct usage *usage, enum usage_kind kind)
{
	return ask_count(usage, usage->tenant, kind);
}

const uint8_t *
usage_tenant_key(const struct usage *usage)
{
	return usage->levels[usage->tenant].counter->key;
}
