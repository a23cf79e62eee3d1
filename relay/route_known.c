/*
 * The memory of names: a pattern without endpoints stays in the table for a
 * while.  It is in two lists, of all and of the tenant that served it last,
 * both by age.
 */
#include "relay/route.h"

#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/memory.h"
#include "relay/route_private.h"

/* What is remembered of one tenant; gone with its last name. */
struct route_memory {
	struct hash_link link;
	struct heap_node by_count; /* while it has names */
	uint8_t key[IDENTITY_KEY_BYTES];
	struct route_remembered_list names; /* the oldest first */
	size_t count;
};

/* A pattern without endpoints; most patterns have some, so it is not a part of them. */
struct route_remembered {
	TAILQ_ENTRY(route_remembered) by_age, of_tenant;
	struct route_memory *memory;
	struct route_pattern *pattern;
};

static struct route_memory *
memory_at(const struct heap_node *node)
{
	return container_of(node, struct route_memory, by_count);
}

static bool
has_more(const struct heap_node *a, const struct heap_node *b)
{
	return memory_at(a)->count > memory_at(b)->count;
}

void
route_known_init(struct routes *routes)
{
	TAILQ_INIT(&routes->remembered);
	heap_init(&routes->memories_by_count, has_more);
}

static bool
is_of(const struct hash_link *at, const void *key)
{
	return memcmp(container_of(at, const struct route_memory, link)->key, key,
		   IDENTITY_KEY_BYTES) == 0;
}

static struct route_memory *
memory_want(struct routes *routes, const uint8_t *key)
{
	uint64_t hash = table_hash(&routes->memories, key, IDENTITY_KEY_BYTES);
	struct hash_link *at = table_find(&routes->memories, hash, is_of, key);
	struct route_memory *memory;

	if (at)
		return container_of(at, struct route_memory, link);
	memory = calloc(1, sizeof *memory);
	if (!memory)
		return NULL;
	memcpy(memory->key, key, IDENTITY_KEY_BYTES);
	TAILQ_INIT(&memory->names);
	table_add(&routes->memories, &memory->link, hash);
	return memory;
}

/* It has so many names now, and is gone when that is none. */
static void
memory_recount(struct routes *routes, struct route_memory *memory, size_t count)
{
	if (memory->count > 0)
		heap_remove(&routes->memories_by_count, &memory->by_count);
	routes->remembered_count += count - memory->count;
	memory->count = count;
	if (count > 0) {
		heap_add(&routes->memories_by_count, &memory->by_count);
		return;
	}
	table_remove(&routes->memories, &memory->link);
	free(memory);
}

void
route_known_recall(struct routes *routes, struct route_pattern *pattern)
{
	struct route_remembered *remembered = pattern->remembered;
	struct route_memory *memory;

	if (!remembered)
		return;
	memory = remembered->memory;
	atomic_store(&pattern->known_until_us, 0);
	pattern->remembered = NULL;
	TAILQ_REMOVE(&routes->remembered, remembered, by_age);
	TAILQ_REMOVE(&memory->names, remembered, of_tenant);
	memory_recount(routes, memory, memory->count - 1);
	free(remembered);
}

static void
forget(struct routes *routes, struct route_remembered *remembered)
{
	struct route_pattern *pattern = remembered->pattern;

	route_known_recall(routes, pattern);
	route_pattern_tidy(routes, pattern);
}

static void
forget_old(struct routes *routes, uint64_t now_us)
{
	struct route_remembered *oldest;

	while ((oldest = TAILQ_FIRST(&routes->remembered)) &&
	    oldest->pattern->known_until_us <= now_us)
		forget(routes, oldest);
}

/* Who has most loses his oldest. */
static void
forget_surplus(struct routes *routes)
{
	while (routes->remembered_count > ROUTE_KNOWN_MOST)
		forget(routes, TAILQ_FIRST(&memory_at(routes->memories_by_count.first)->names));
}

/* In both lists; false when memory is short. */
static bool
remember(struct routes *routes, struct route_pattern *pattern, const uint8_t *tenant_key)
{
	struct route_remembered *remembered = calloc(1, sizeof *remembered);
	struct route_memory *memory = remembered ? memory_want(routes, tenant_key) : NULL;

	if (!memory) {
		free(remembered);
		return false;
	}
	*remembered = (struct route_remembered){ .memory = memory, .pattern = pattern };
	pattern->remembered = remembered;
	TAILQ_INSERT_TAIL(&routes->remembered, remembered, by_age);
	TAILQ_INSERT_TAIL(&memory->names, remembered, of_tenant);
	memory_recount(routes, memory, memory->count + 1);
	return true;
}

/* When memory is short it is forgotten at once. */
void
route_known_remember(
    struct routes *routes, struct route_pattern *pattern, const uint8_t *tenant_key)
{
	uint64_t now_us = clock_us();

	if (!remember(routes, pattern, tenant_key)) {
		memory_short("that a name was served until now");
		route_pattern_tidy(routes, pattern);
		return;
	}
	atomic_store(&pattern->known_until_us, now_us + ROUTE_KNOWN_MS * UINT64_C(1000));
	forget_old(routes, now_us);
	forget_surplus(routes);
}

void
route_known_forget_all(struct routes *routes)
{
	while (!TAILQ_EMPTY(&routes->remembered))
		forget(routes, TAILQ_FIRST(&routes->remembered));
}

bool
route_known_is(const struct route_pattern *pattern)
{
	return atomic_load(&pattern->known_until_us) > clock_us();
}
