/* A table with a list beside it, the longest silent first. */
#include "relay/known.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/queue.h>
#include "base/clock.h"
#include "base/hash.h"

struct place {
	struct hash_link link;
	TAILQ_ENTRY(place) age;
	struct prefix prefix;
	uint64_t seen_ms;
};

struct known {
	pthread_mutex_t lock;
	struct table table;
	TAILQ_HEAD(, place) ages;
	uint8_t key[16];
};

struct known *
known_new(void)
{
	struct known *known = calloc(1, sizeof(*known));

	if (known == NULL || !table_init(&known->table)) {
		free(known);
		return NULL;
	}
	TAILQ_INIT(&known->ages);
	pthread_mutex_init(&known->lock, NULL);
	arc4random_buf(known->key, sizeof(known->key));
	return known;
}

static void
forget(struct known *known, struct place *place)
{
	table_remove(&known->table, &place->link);
	TAILQ_REMOVE(&known->ages, place, age);
	free(place);
}

void
known_free(struct known *known)
{
	if (known == NULL)
		return;
	while (!TAILQ_EMPTY(&known->ages))
		forget(known, TAILQ_FIRST(&known->ages));
	table_wipe(&known->table);
	pthread_mutex_destroy(&known->lock);
	free(known);
}

static struct place *
find(struct known *known, const struct prefix *prefix, uint64_t hash)
{
	for (struct hash_link *at = table_first(&known->table, hash); at != NULL; at = table_next(at)) {
		struct place *place = container_of(at, struct place, link);

		if (prefix_equals(&place->prefix, prefix))
			return place;
	}
	return NULL;
}

static void
add_new(struct known *known, const struct prefix *prefix, uint64_t hash)
{
	struct place *place = calloc(1, sizeof(*place));

	if (place == NULL)
		return;	/* it will be a stranger again, that is all */
	if (known->table.count >= KNOWN_MOST)
		forget(known, TAILQ_FIRST(&known->ages));
	place->prefix = *prefix;
	place->seen_ms = clock_ms();
	table_add(&known->table, &place->link, hash);
	TAILQ_INSERT_TAIL(&known->ages, place, age);
}

void
known_add(struct known *known, const struct prefix *prefix)
{
	uint64_t hash = prefix_hash(prefix, known->key);
	struct place *place;

	pthread_mutex_lock(&known->lock);
	place = find(known, prefix, hash);
	if (place == NULL) {
		add_new(known, prefix, hash);
	} else {
		place->seen_ms = clock_ms();
		TAILQ_REMOVE(&known->ages, place, age);
		TAILQ_INSERT_TAIL(&known->ages, place, age);
	}
	pthread_mutex_unlock(&known->lock);
}

bool
known_has(struct known *known, const struct prefix *prefix)
{
	uint64_t hash = prefix_hash(prefix, known->key);
	struct place *place;
	bool has;

	pthread_mutex_lock(&known->lock);
	place = find(known, prefix, hash);
	has = place != NULL && clock_ms() - place->seen_ms < KNOWN_MS;
	if (place != NULL && !has)
		forget(known, place);
	pthread_mutex_unlock(&known->lock);
	return has;
}
