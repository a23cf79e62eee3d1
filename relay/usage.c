/* Counters are atomic; only finding and freeing them takes the lock. */
#include "relay/usage.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "pki/identity.h"

struct usage_counter {
	struct hash_link link;
	unsigned held; /* under the lock */
	atomic_uint_fast64_t counts[USAGE_KINDS];
	uint8_t key[IDENTITY_KEY_BYTES];
};

struct usage_table {
	pthread_mutex_t lock;
	struct table table;
	atomic_uint_fast64_t per_identity[USAGE_KINDS], in_all[USAGE_KINDS]; /* the bounds */
	atomic_uint_fast64_t total[USAGE_KINDS];
};

struct usage_level {
	struct usage_counter *counter;
	uint32_t most[USAGE_KINDS]; /* its own numbers, 0: it has none */
};

struct usage {
	atomic_uint held;
	struct usage_table *all;
	struct identity *identity;
	size_t count, tenant; /* levels, and which of them is the tenant */
	struct usage_level levels[IDENTITY_LEVELS_MOST];
};

enum { WHO = IDENTITY_LEVEL_NAME + 120 };

static const struct {
	const char *number, *setting, *in_all, *what;
} words[USAGE_KINDS] = {
	[USAGE_SESSIONS] = { "maxSessions", "limits.sessions_per_identity", "limits.sessions",
	    "sessions" },
	[USAGE_FLOWS] = { "maxFlows", "limits.flows_per_identity", "limits.flows", "flows" },
	[USAGE_PARKED] = { NULL, "limits.channels_per_identity", "limits.channels",
	    "parked channels" },
	[USAGE_ENDPOINTS] = { NULL, NULL, "limits.endpoints", "endpoints" },
};

struct usage_table *
usage_table_new(void)
{
	struct usage_table *all = calloc(1, sizeof *all);

	if (!all || !table_init(&all->table)) {
		free(all);
		return NULL;
	}
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
	for (enum usage_kind kind = 0; kind < USAGE_KINDS; kind++) {
		atomic_store(&all->per_identity[kind], bounds->per_identity[kind]);
		atomic_store(&all->in_all[kind], bounds->in_all[kind]);
	}
}

/* ---- accounts ---- */

static bool
has_key(const struct hash_link *at, const void *key)
{
	return memcmp(container_of(at, const struct usage_counter, link)->key, key,
		   IDENTITY_KEY_BYTES) == 0;
}

/* Under the lock; held. NULL when memory is short. */
static struct usage_counter *
counter_of(struct usage_table *all, const uint8_t *key)
{
	uint64_t hash = table_hash(&all->table, key, IDENTITY_KEY_BYTES);
	struct hash_link *at = table_find(&all->table, hash, has_key, key);
	struct usage_counter *counter = at ? container_of(at, struct usage_counter, link) : NULL;

	if (!counter && (counter = calloc(1, sizeof *counter))) {
		memcpy(counter->key, key, IDENTITY_KEY_BYTES);
		table_add(&all->table, &counter->link, hash);
	}
	if (counter)
		counter->held++;
	return counter;
}

/* Under the lock. */
static bool
add_levels(struct usage *usage)
{
	struct identity_level level;

	while (usage->count < IDENTITY_LEVELS_MOST &&
	    identity_level(usage->identity, usage->count, &level)) {
		struct usage_counter *counter = counter_of(usage->all, level.key);

		if (!counter)
			return false;
		if (level.has_grant)
			usage->tenant = usage->count;
		usage->levels[usage->count++] = (struct usage_level){
			counter,
			{ [USAGE_SESSIONS] = level.max_sessions, [USAGE_FLOWS] = level.max_flows }
		};
	}
	return true;
}

struct usage *
usage_of(struct usage_table *all, struct identity *identity)
{
	struct usage *usage = calloc(1, sizeof *usage);
	bool is_whole;

	if (!usage)
		return NULL;
	atomic_init(&usage->held, 1);
	usage->all = all;
	usage->identity = identity_hold(identity);
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
usage_release(struct usage *usage)
{
	if (!usage || atomic_fetch_sub(&usage->held, 1) > 1)
		return;
	pthread_mutex_lock(&usage->all->lock);
	for (size_t i = 0; i < usage->count; i++) {
		struct usage_counter *counter = usage->levels[i].counter;

		if (--counter->held > 0)
			continue;
		table_remove(&usage->all->table, &counter->link);
		free(counter);
	}
	pthread_mutex_unlock(&usage->all->lock);
	identity_release(usage->identity);
	free(usage);
}

/* ---- counting ---- */

static bool
count_in(atomic_uint_fast64_t *counter, uint64_t most)
{
	uint_fast64_t count = atomic_load(counter);

	do {
		if (most > 0 && count >= most)
			return false;
	} while (!atomic_compare_exchange_weak(counter, &count, count + 1));
	return true;
}

static uint64_t
bound_of(const struct usage *usage, size_t level, enum usage_kind kind)
{
	uint32_t own = usage->levels[level].most[kind];

	return own > 0 || level > 0 ? own : atomic_load(&usage->all->per_identity[kind]);
}

static bool
has_counter(const struct usage *usage, const struct usage_counter *counter)
{
	for (size_t i = 0; usage && i < usage->count; i++)
		if (usage->levels[i].counter == counter)
			return true;
	return false;
}

/* Leaves the lowest levels, but for those that `kept` (may be NULL) has, too. */
static void
leave_levels(struct usage *usage, size_t levels, enum usage_kind kind, const struct usage *kept)
{
	for (size_t i = 0; i < levels; i++)
		if (!has_counter(kept, usage->levels[i].counter))
			atomic_fetch_sub(&usage->levels[i].counter->counts[kind], 1);
}

/* From the identity upwards, so that whoever is refused by a number that another one is about to give
 * back would be refused by what stands in that one's way, too.  How many levels were entered. */
static size_t
enter_levels(struct usage *usage, enum usage_kind kind, const struct usage *from)
{
	size_t i;

	for (i = 0; i < usage->count; i++) {
		struct usage_counter *counter = usage->levels[i].counter;

		if (!has_counter(from, counter) &&
		    !count_in(&counter->counts[kind], bound_of(usage, i, kind)))
			break;
	}
	return i;
}

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
explain(const struct usage *usage, size_t level, enum usage_kind kind, char why[USAGE_WHY])
{
	char who[WHO];
	uint32_t own = usage->levels[level].most[kind];

	who_is(usage, level, who);
	if (level > 0)
		snprintf(why, USAGE_WHY,
		    "%s of %s is %" PRIu32
		    " for all agents below it together, and so many %s are in use",
		    words[kind].number, who, own, words[kind].what);
	else if (own > 0)
		snprintf(why, USAGE_WHY,
		    "%s of the grant of %s is %" PRIu32 ", and so many %s are in use",
		    words[kind].number, who, own, words[kind].what);
	else
		snprintf(why, USAGE_WHY, "%s of the relay is %" PRIu64 ", and %s has so many %s",
		    words[kind].setting, bound_of(usage, level, kind), who, words[kind].what);
}

/* Counts one more in all, if the tenant has not more than its share of what is free. */
static bool
enter_total(struct usage *usage, enum usage_kind kind, char why[USAGE_WHY])
{
	struct usage_table *all = usage->all;
	uint64_t most = atomic_load(&all->in_all[kind]), total = atomic_load(&all->total[kind]);
	uint64_t tenants = usage_tenant_count(usage, kind);
	char who[WHO];

	if ((most == 0 || (total < most && tenants < (most - total) * USAGE_SHARE)) &&
	    count_in(&all->total[kind], most))
		return true;
	snprintf(why, USAGE_WHY,
	    "%s of the relay is %" PRIu64 ", %" PRIu64 " are in use, and of these %s has %" PRIu64
	    ", which is its share",
	    words[kind].in_all, most, total, who_is(usage, usage->tenant, who), tenants);
	return false;
}

bool
usage_enter(struct usage *usage, enum usage_kind kind, char why[USAGE_WHY])
{
	size_t entered;

	if (!enter_total(usage, kind, why))
		return false;
	entered = enter_levels(usage, kind, NULL);
	if (entered == usage->count)
		return true;
	leave_levels(usage, entered, kind, NULL);
	atomic_fetch_sub(&usage->all->total[kind], 1);
	explain(usage, entered, kind, why);
	return false;
}

bool
usage_take_over(struct usage *usage, struct usage *from, enum usage_kind kind, char why[USAGE_WHY])
{
	size_t entered = enter_levels(usage, kind, from);

	if (entered == usage->count) {
		leave_levels(from, from->count, kind, usage);
		return true;
	}
	leave_levels(usage, entered, kind, from);
	explain(usage, entered, kind, why);
	return false;
}

void
usage_leave(struct usage *usage, enum usage_kind kind)
{
	leave_levels(usage, usage->count, kind, NULL);
	atomic_fetch_sub(&usage->all->total[kind], 1);
}

bool
usage_is_crowded(const struct usage *usage, enum usage_kind kind)
{
	uint64_t most = atomic_load(&usage->all->in_all[kind]);
	uint64_t total = atomic_load(&usage->all->total[kind]);
	uint64_t left = total < most ? most - total : 0, own = bound_of(usage, 0, kind);

	return (own > 0 && usage_count(usage, kind) >= own) ||
	    (most > 0 && usage_tenant_count(usage, kind) > left * USAGE_SHARE);
}

uint64_t
usage_count(const struct usage *usage, enum usage_kind kind)
{
	return atomic_load(&usage->levels[0].counter->counts[kind]);
}

uint64_t
usage_tenant_count(const struct usage *usage, enum usage_kind kind)
{
	return atomic_load(&usage->levels[usage->tenant].counter->counts[kind]);
}

const uint8_t *
usage_tenant_key(const struct usage *usage)
{
	return usage->levels[usage->tenant].counter->key;
}
