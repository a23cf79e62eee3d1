/* Counters are atomic; only finding and freeing a tally takes the lock. */
#include "relay/tally.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"

struct tally {
	struct hash_link link;
	struct tallies *all;
	unsigned held;			/* under the lock of all */
	atomic_uint_fast64_t counts[TALLY_KINDS];
	uint8_t key[TALLY_KEY_BYTES];
};

struct tallies {
	pthread_mutex_t lock;
	struct table table;
};

struct tallies *
tally_all_new(void)
{
	struct tallies *all = calloc(1, sizeof(*all));

	if (all == NULL || !table_init(&all->table)) {
		free(all);
		return NULL;
	}
	pthread_mutex_init(&all->lock, NULL);
	return all;
}

void
tally_all_free(struct tallies *all)
{
	if (all == NULL)
		return;
	table_wipe(&all->table);
	pthread_mutex_destroy(&all->lock);
	free(all);
}

static struct tally *
find(struct tallies *all, const uint8_t *key, uint64_t hash)
{
	for (struct hash_link *at = table_first(&all->table, hash); at != NULL; at = table_next(at)) {
		struct tally *tally = container_of(at, struct tally, link);

		if (memcmp(tally->key, key, TALLY_KEY_BYTES) == 0)
			return tally;
	}
	return NULL;
}

struct tally *
tally_of(struct tallies *all, const uint8_t key[TALLY_KEY_BYTES])
{
	struct tally *tally;
	uint64_t hash;

	pthread_mutex_lock(&all->lock);
	hash = table_hash(&all->table, key, TALLY_KEY_BYTES);
	tally = find(all, key, hash);
	if (tally == NULL && (tally = calloc(1, sizeof(*tally))) != NULL) {
		tally->all = all;
		memcpy(tally->key, key, TALLY_KEY_BYTES);
		table_add(&all->table, &tally->link, hash);
	}
	if (tally != NULL)
		tally->held++;
	pthread_mutex_unlock(&all->lock);
	return tally;
}

struct tally *
tally_hold(struct tally *tally)
{
	pthread_mutex_lock(&tally->all->lock);
	tally->held++;
	pthread_mutex_unlock(&tally->all->lock);
	return tally;
}

void
tally_release(struct tally *tally)
{
	struct tallies *all;
	bool last;

	if (tally == NULL)
		return;
	all = tally->all;
	pthread_mutex_lock(&all->lock);
	last = --tally->held == 0;
	if (last)
		table_remove(&all->table, &tally->link);
	pthread_mutex_unlock(&all->lock);
	if (last)
		free(tally);
}

bool
tally_enter(struct tally *tally, enum tally_kind kind, uint64_t most)
{
	uint_fast64_t count = atomic_load(&tally->counts[kind]);

	do {
		if (most > 0 && count >= most)
			return false;
	} while (!atomic_compare_exchange_weak(&tally->counts[kind], &count, count + 1));
	return true;
}

void
tally_leave(struct tally *tally, enum tally_kind kind)
{
	atomic_fetch_sub(&tally->counts[kind], 1);
}

uint64_t
tally_count(const struct tally *tally, enum tally_kind kind)
{
	return atomic_load(&tally->counts[kind]);
}
