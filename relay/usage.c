/* Counters are atomic; only finding and freeing a usage takes the lock. */
#include "relay/usage.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"

struct usage {
	struct hash_link link;
	struct usage_table *all;
	unsigned held; /* under the lock of all */
	atomic_uint_fast64_t counts[USAGE_KINDS];
	uint8_t key[USAGE_KEY_BYTES];
};

struct usage_table {
	pthread_mutex_t lock;
	struct table table;
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

static bool
has_key(const struct hash_link *at, const void *key)
{
	return memcmp(container_of(at, const struct usage, link)->key, key, USAGE_KEY_BYTES) == 0;
}

static struct usage *
find(struct usage_table *all, const uint8_t *key, uint64_t hash)
{
	struct hash_link *at = table_find(&all->table, hash, has_key, key);

	return at ? container_of(at, struct usage, link) : NULL;
}

struct usage *
usage_of(struct usage_table *all, const uint8_t key[USAGE_KEY_BYTES])
{
	struct usage *usage;
	uint64_t hash;

	pthread_mutex_lock(&all->lock);
	hash = table_hash(&all->table, key, USAGE_KEY_BYTES);
	usage = find(all, key, hash);
	if (!usage && (usage = calloc(1, sizeof *usage))) {
		usage->all = all;
		memcpy(usage->key, key, USAGE_KEY_BYTES);
		table_add(&all->table, &usage->link, hash);
	}
	if (usage)
		usage->held++;
	pthread_mutex_unlock(&all->lock);
	return usage;
}

struct usage *
usage_hold(struct usage *usage)
{
	pthread_mutex_lock(&usage->all->lock);
	usage->held++;
	pthread_mutex_unlock(&usage->all->lock);
	return usage;
}

void
usage_release(struct usage *usage)
{
	struct usage_table *all;
	bool last;

	if (!usage)
		return;
	all = usage->all;
	pthread_mutex_lock(&all->lock);
	last = --usage->held == 0;
	if (last)
		table_remove(&all->table, &usage->link);
	pthread_mutex_unlock(&all->lock);
	if (last)
		free(usage);
}

bool
usage_enter(struct usage *usage, enum usage_kind kind, uint64_t most)
{
	uint_fast64_t count = atomic_load(&usage->counts[kind]);

	do {
		if (most > 0 && count >= most)
			return false;
	} while (!atomic_compare_exchange_weak(&usage->counts[kind], &count, count + 1));
	return true;
}

void
usage_leave(struct usage *usage, enum usage_kind kind)
{
	atomic_fetch_sub(&usage->counts[kind], 1);
}

uint64_t
usage_count(const struct usage *usage, enum usage_kind kind)
{
	return atomic_load(&usage->counts[kind]);
}
