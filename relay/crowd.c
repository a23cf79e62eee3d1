/*
 * Blocks stand in lists by how many places they have, so that the heaviest is
 * at hand: a block moves one list up or down at a time, and `heaviest` follows.
 */
#include "relay/crowd.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include "base/hash.h"

struct block;
TAILQ_HEAD(blocks, block);
TAILQ_HEAD(places, crowd_place);

/* Places with the same prefix, oldest first. */
struct block {
	struct hash_link link;
	TAILQ_ENTRY(block) level;
	struct prefix prefix;
	struct places places;
	size_t count;
};

struct crowd_place {
	struct message eviction;	/* sent once at most */
	TAILQ_ENTRY(crowd_place) link;
	struct crowd *crowd;
	struct block *block;		/* NULL: evicted, the message is under way or was delivered */
	struct loop *loop;
	void (*on_evict)(void *arg);
	void *arg;
	size_t bytes;
	bool left, delivered;		/* both belong to the place's own thread */
};

struct crowd {
	pthread_mutex_t lock;
	struct crowd_bounds bounds;
	struct table blocks;
	struct blocks *levels;		/* by count; as many as `level_count` */
	size_t level_count;
	size_t heaviest;
	uint64_t count, bytes;
	uint8_t key[16];
};

struct crowd *
crowd_new(const struct crowd_bounds *bounds)
{
	struct crowd *crowd = calloc(1, sizeof(*crowd));

	if (crowd == NULL || !table_init(&crowd->blocks)) {
		free(crowd);
		return NULL;
	}
	pthread_mutex_init(&crowd->lock, NULL);
	crowd->bounds = *bounds;
	arc4random_buf(crowd->key, sizeof(crowd->key));
	return crowd;
}

void
crowd_free(struct crowd *crowd)
{
	if (crowd == NULL)
		return;
	table_wipe(&crowd->blocks);
	pthread_mutex_destroy(&crowd->lock);
	free(crowd->levels);
	free(crowd);
}

void
crowd_set_bounds(struct crowd *crowd, const struct crowd_bounds *bounds)
{
	pthread_mutex_lock(&crowd->lock);
	crowd->bounds = *bounds;
	pthread_mutex_unlock(&crowd->lock);
}

uint64_t
crowd_count(struct crowd *crowd)
{
	uint64_t count;

	pthread_mutex_lock(&crowd->lock);
	count = crowd->count;
	pthread_mutex_unlock(&crowd->lock);
	return count;
}

/* Room for blocks with up to `count` places. Lists may move, so they are linked anew. */
static bool
reserve_level(struct crowd *crowd, size_t count)
{
	size_t wanted = crowd->level_count ? crowd->level_count : 16;
	struct blocks *levels;

	if (count < crowd->level_count)
		return true;
	while (wanted <= count)
		wanted *= 2;
	levels = calloc(wanted, sizeof(*levels));
	if (levels == NULL)
		return false;
	for (size_t i = 0; i < wanted; i++) {
		TAILQ_INIT(&levels[i]);
		if (i < crowd->level_count)
			TAILQ_CONCAT(&levels[i], &crowd->levels[i], level);
	}
	free(crowd->levels);
	crowd->levels = levels;
	crowd->level_count = wanted;
	return true;
}

static struct block *
find_block(struct crowd *crowd, const struct prefix *prefix, uint64_t hash)
{
	for (struct hash_link *at = table_first(&crowd->blocks, hash); at != NULL; at = table_next(at)) {
		struct block *block = container_of(at, struct block, link);

		if (prefix_equals(&block->prefix, prefix))
			return block;
	}
	return NULL;
}

static struct block *
want_block(struct crowd *crowd, const struct prefix *prefix)
{
	uint64_t hash = prefix_hash(prefix, crowd->key);
	struct block *block = find_block(crowd, prefix, hash);

	if (block != NULL)
		return block;
	block = calloc(1, sizeof(*block));
	if (block == NULL)
		return NULL;
	block->prefix = *prefix;
	TAILQ_INIT(&block->places);
	table_add(&crowd->blocks, &block->link, hash);
	return block;
}

static void
drop_empty(struct crowd *crowd, struct block *block)
{
	if (block->count > 0)
		return;
	table_remove(&crowd->blocks, &block->link);
	free(block);
}

static void
add(struct crowd *crowd, struct block *block, struct crowd_place *place)
{
	TAILQ_INSERT_TAIL(&block->places, place, link);
	if (block->count > 0)
		TAILQ_REMOVE(&crowd->levels[block->count], block, level);
	block->count++;
	TAILQ_INSERT_TAIL(&crowd->levels[block->count], block, level);
	if (block->count > crowd->heaviest)
		crowd->heaviest = block->count;
	crowd->count++;
}

static void
take_out(struct crowd *crowd, struct crowd_place *place)
{
	struct block *block = place->block;

	TAILQ_REMOVE(&block->places, place, link);
	TAILQ_REMOVE(&crowd->levels[block->count], block, level);
	block->count--;
	if (block->count > 0)
		TAILQ_INSERT_TAIL(&crowd->levels[block->count], block, level);
	while (crowd->heaviest > 0 && TAILQ_EMPTY(&crowd->levels[crowd->heaviest]))
		crowd->heaviest--;
	crowd->count--;
	crowd->bytes -= place->bytes;
	place->block = NULL;
	drop_empty(crowd, block);
}

/* In the place's own thread, so `left` cannot change meanwhile. */
static void
deliver_eviction(struct message *message)
{
	struct crowd_place *place = container_of(message, struct crowd_place, eviction);

	place->delivered = true;
	if (place->left)
		free(place);
	else
		place->on_evict(place->arg);
}

static void
evict_oldest(struct crowd *crowd, struct block *block)
{
	struct crowd_place *place = TAILQ_FIRST(&block->places);

	take_out(crowd, place);
	loop_post(place->loop, &place->eviction);
}

static bool
is_too_full(const struct crowd *crowd)
{
	return crowd->count > crowd->bounds.most ||
	    (crowd->bounds.most_bytes > 0 && crowd->bytes > crowd->bounds.most_bytes);
}

static void
make_room(struct crowd *crowd, struct block *block)
{
	if (block->count > crowd->bounds.most_per_block)
		evict_oldest(crowd, block);
	while (crowd->count > 1 && is_too_full(crowd))
		evict_oldest(crowd, TAILQ_FIRST(&crowd->levels[crowd->heaviest]));
}

struct crowd_place *
crowd_enter(struct crowd *crowd, struct loop *loop, const struct prefix *prefix, void (*on_evict)(void *arg),
    void *arg)
{
	struct crowd_place *place = calloc(1, sizeof(*place));
	struct block *block;

	if (place == NULL)
		return NULL;
	*place = (struct crowd_place){ .eviction.deliver = deliver_eviction, .crowd = crowd, .loop = loop,
	    .on_evict = on_evict, .arg = arg };
	pthread_mutex_lock(&crowd->lock);
	block = want_block(crowd, prefix);
	if (block == NULL || !reserve_level(crowd, block->count + 1)) {
		if (block != NULL)
			drop_empty(crowd, block);
		free(place);
		place = NULL;
	} else {
		place->block = block;
		add(crowd, block, place);
		make_room(crowd, block);
	}
	pthread_mutex_unlock(&crowd->lock);
	return place;
}

void
crowd_grow(struct crowd_place *place, size_t bytes)
{
	struct crowd *crowd = place->crowd;

	pthread_mutex_lock(&crowd->lock);
	if (place->block != NULL) {
		place->bytes += bytes;
		crowd->bytes += bytes;
		make_room(crowd, place->block);
	}
	pthread_mutex_unlock(&crowd->lock);
}

void
crowd_leave(struct crowd_place *place)
{
	struct crowd *crowd;
	bool gone;

	if (place == NULL)
		return;
	crowd = place->crowd;
	pthread_mutex_lock(&crowd->lock);
	gone = place->block != NULL || place->delivered;
	if (place->block != NULL)
		take_out(crowd, place);
	place->left = true;
	pthread_mutex_unlock(&crowd->lock);
	if (gone)
		free(place);
}
