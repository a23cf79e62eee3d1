/* A table with a list beside it, the longest silent first. */
#include "relay/recent_peers.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/queue.h>
#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"

struct place {
	struct hash_link link;
	TAILQ_ENTRY(place) age;
	struct prefix prefix;
	uint64_t seen_ms;
};

struct recent_peers {
	pthread_mutex_t lock;
	struct table table;
	TAILQ_HEAD(, place) ages;
	uint8_t key[16];
};

struct recent_peers *
recent_peers_new(void)
{
	struct recent_peers *peers = calloc(1, sizeof *peers);

	if (!peers || !table_init(&peers->table)) {
		free(peers);
		return NULL;
	}
	TAILQ_INIT(&peers->ages);
	pthread_mutex_init(&peers->lock, NULL);
	arc4random_buf(peers->key, sizeof peers->key);
	return peers;
}

static void
forget(struct recent_peers *peers, struct place *place)
{
	table_remove(&peers->table, &place->link);
	TAILQ_REMOVE(&peers->ages, place, age);
	free(place);
}

void
recent_peers_free(struct recent_peers *peers)
{
	if (!peers)
		return;
	while (!TAILQ_EMPTY(&peers->ages))
		forget(peers, TAILQ_FIRST(&peers->ages));
	table_wipe(&peers->table);
	pthread_mutex_destroy(&peers->lock);
	free(peers);
}

static bool
has_prefix(const struct hash_link *at, const void *prefix)
{
	return prefix_equals(&container_of(at, const struct place, link)->prefix, prefix);
}

static struct place *
find(struct recent_peers *peers, const struct prefix *prefix, uint64_t hash)
{
	struct hash_link *at = table_find(&peers->table, hash, has_prefix, prefix);

	return at ? container_of(at, struct place, link) : NULL;
}

static void
add_new(struct recent_peers *peers, const struct prefix *prefix, uint64_t hash)
{
	struct place *place = calloc(1, sizeof *place);

	if (!place) {
		memory_short("that agents came from an address, which counts as unknown again");
		return;
	}
	if (peers->table.count >= RECENT_PEERS_MOST)
		forget(peers, TAILQ_FIRST(&peers->ages));
	place->prefix = *prefix;
	place->seen_ms = clock_ms();
	table_add(&peers->table, &place->link, hash);
	TAILQ_INSERT_TAIL(&peers->ages, place, age);
}

void
recent_peers_add(struct recent_peers *peers, const struct prefix *prefix)
{
	uint64_t hash = prefix_hash(prefix, peers->key);
	struct place *place;

	pthread_mutex_lock(&peers->lock);
	place = find(peers, prefix, hash);
	if (!place) {
		add_new(peers, prefix, hash);
	} else {
		place->seen_ms = clock_ms();
		TAILQ_REMOVE(&peers->ages, place, age);
		TAILQ_INSERT_TAIL(&peers->ages, place, age);
	}
	pthread_mutex_unlock(&peers->lock);
}

bool
recent_peers_has(struct recent_peers *peers, const struct prefix *prefix)
{
	uint64_t hash = prefix_hash(prefix, peers->key);
	struct place *place;
	bool has;

	pthread_mutex_lock(&peers->lock);
	place = find(peers, prefix, hash);
	has = place && clock_ms() - place->seen_ms < RECENT_PEERS_MS;
	if (place && !has)
		forget(peers, place);
	pthread_mutex_unlock(&peers->lock);
	return has;
}
