/*
 * Blocks stand in lists by how many places they have, so that the heaviest is
 * at hand: a block moves one list up or down at a time, and `heaviest` follows.
 */
#include "relay/admission.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include "base/hash.h"

struct block;
TAILQ_HEAD(blocks, block);
TAILQ_HEAD(places, admission_place);

/* Places with the same prefix, oldest first. */
struct block {
	struct hash_link link;
	TAILQ_ENTRY(block) level;
	struct prefix prefix;
	struct places places;
	size_t count;
};

struct admission_place {
	struct call eviction; /* called once at most */
	TAILQ_ENTRY(admission_place) link;
	struct admission *queue;
	struct block *block; /* NULL: evicted, the call is under way or has run */
	struct loop *loop;
	void (*on_evict)(void *arg);
	void *arg;
	size_t bytes;
	bool left, delivered; /* both belong to the place's own thread */
};

struct admission {
	pthread_mutex_t lock;
	struct admission_bounds bounds;
	struct table blocks;
	struct blocks *levels; /* by count; as many as `level_count` */
	size_t level_count;
	size_t heaviest;
	uint64_t count, bytes;
	uint8_t key[16];
};

struct admission *
admission_new(const struct admission_bounds *bounds)
{
	struct admission *queue = calloc(1, sizeof *queue);

	if (!queue || !table_init(&queue->blocks)) {
		free(queue);
		return NULL;
	}
	pthread_mutex_init(&queue->lock, NULL);
	queue->bounds = *bounds;
	arc4random_buf(queue->key, sizeof queue->key);
	return queue;
}

void
admission_free(struct admission *queue)
{
	if (!queue)
		return;
	table_wipe(&queue->blocks);
	pthread_mutex_destroy(&queue->lock);
	free(queue->levels);
	free(queue);
}

void
admission_set_bounds(struct admission *queue, const struct admission_bounds *bounds)
{
	pthread_mutex_lock(&queue->lock);
	queue->bounds = *bounds;
	pthread_mutex_unlock(&queue->lock);
}

uint64_t
admission_count(struct admission *queue)
{
	uint64_t count;

	pthread_mutex_lock(&queue->lock);
	count = queue->count;
	pthread_mutex_unlock(&queue->lock);
	return count;
}

/* Room for blocks with up to `count` places. Lists may move, so they are linked anew. */
static bool
reserve_level(struct admission *queue, size_t count)
{
	size_t wanted = queue->level_count ? queue->level_count : 16;
	struct blocks *levels;

	if (count < queue->level_count)
		return true;
	while (wanted <= count)
		wanted *= 2;
	levels = calloc(wanted, sizeof *levels);
	if (!levels)
		return false;
	for (size_t i = 0; i < wanted; i++) {
		TAILQ_INIT(&levels[i]);
		if (i < queue->level_count)
			TAILQ_CONCAT(&levels[i], &queue->levels[i], level);
	}
	free(queue->levels);
	queue->levels = levels;
	queue->level_count = wanted;
	return true;
}

static bool
has_prefix(const struct hash_link *at, const void *prefix)
{
	return prefix_equals(&container_of(at, const struct block, link)->prefix, prefix);
}

static struct block *
find_block(struct admission *queue, const struct prefix *prefix, uint64_t hash)
{
	struct hash_link *at = table_find(&queue->blocks, hash, has_prefix, prefix);

	return at ? container_of(at, struct block, link) : NULL;
}

static struct block *
want_block(struct admission *queue, const struct prefix *prefix)
{
	uint64_t hash = prefix_hash(prefix, queue->key);
	struct block *block = find_block(queue, prefix, hash);

	if (block)
		return block;
	block = calloc(1, sizeof *block);
	if (!block)
		return NULL;
	block->prefix = *prefix;
	TAILQ_INIT(&block->places);
	table_add(&queue->blocks, &block->link, hash);
	return block;
}

static void
drop_empty(struct admission *queue, struct block *block)
{
	if (block->count > 0)
		return;
	table_remove(&queue->blocks, &block->link);
	free(block);
}

static void
add(struct admission *queue, struct block *block, struct admission_place *place)
{
	TAILQ_INSERT_TAIL(&block->places, place, link);
	if (block->count > 0)
		TAILQ_REMOVE(&queue->levels[block->count], block, level);
	block->count++;
	TAILQ_INSERT_TAIL(&queue->levels[block->count], block, level);
	if (block->count > queue->heaviest)
		queue->heaviest = block->count;
	queue->count++;
}

static void
take_out(struct admission *queue, struct admission_place *place)
{
	struct block *block = place->block;

	TAILQ_REMOVE(&block->places, place, link);
	TAILQ_REMOVE(&queue->levels[block->count], block, level);
	block->count--;
	if (block->count > 0)
		TAILQ_INSERT_TAIL(&queue->levels[block->count], block, level);
	while (queue->heaviest > 0 && TAILQ_EMPTY(&queue->levels[queue->heaviest]))
		queue->heaviest--;
	queue->count--;
	queue->bytes -= place->bytes;
	place->block = NULL;
	drop_empty(queue, block);
}

/* In the place's own thread, so `left` cannot change meanwhile. */
static void
evict(void *data)
{
	struct admission_place *place = data;

	place->delivered = true;
	if (place->left)
		free(place);
	else
		place->on_evict(place->arg);
}

static void
evict_oldest(struct admission *queue, struct block *block)
{
	struct admission_place *place = TAILQ_FIRST(&block->places);

	take_out(queue, place);
	loop_call(place->loop, &place->eviction, evict, place);
}

static bool
is_too_full(const struct admission *queue)
{
	return queue->count > queue->bounds.most ||
	    (queue->bounds.most_bytes > 0 && queue->bytes > queue->bounds.most_bytes);
}

static void
make_room(struct admission *queue, struct block *block)
{
	if (block->count > queue->bounds.most_per_block)
		evict_oldest(queue, block);
	while (queue->count > 1 && is_too_full(queue))
		evict_oldest(queue, TAILQ_FIRST(&queue->levels[queue->heaviest]));
}

struct admission_place *
admission_enter(struct admission *queue, struct loop *loop, const struct prefix *prefix,
    void (*on_evict)(void *arg), void *arg)
{
	struct admission_place *place = calloc(1, sizeof *place);
	struct block *block;

	if (!place)
		return NULL;
	*place = (struct admission_place){
		.queue = queue, .loop = loop, .on_evict = on_evict, .arg = arg
	};
	pthread_mutex_lock(&queue->lock);
	block = want_block(queue, prefix);
	if (!block || !reserve_level(queue, block->count + 1)) {
		if (block)
			drop_empty(queue, block);
		free(place);
		place = NULL;
	} else {
		place->block = block;
		add(queue, block, place);
		make_room(queue, block);
	}
	pthread_mutex_unlock(&queue->lock);
	return place;
}

void
admission_grow(struct admission_place *place, size_t bytes)
{
	struct admission *queue = place->queue;

	pthread_mutex_lock(&queue->lock);
	if (place->block) {
		place->bytes += bytes;
		queue->bytes += bytes;
		make_room(queue, place->block);
	}
	pthread_mutex_unlock(&queue->lock);
}

void
admission_leave(struct admission_place *place)
{
	struct admission *queue;
	bool gone;

	if (!place)
		return;
	queue = place->queue;
	pthread_mutex_lock(&queue->lock);
	gone = place->block || place->delivered;
	if (place->block)
		take_out(queue, place);
	place->left = true;
	pthread_mutex_unlock(&queue->lock);
	if (gone)
		free(place);
}
