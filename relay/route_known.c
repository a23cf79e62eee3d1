/*
 * The memory of names: a pattern without endpoints stays in the table for a
 * while.  It is in two lists, of all and of the identity that served it last,
 * both by age.
 */
#include "relay/route.h"

#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/memory.h"
#include "relay/route_private.h"

/* What is remembered of one identity; gone with its last name. */
struct route_memory {
	struct hash_link link;
	uint8_t key[IDENTITY_KEY_BYTES];
	struct route_patterns names; /* the oldest first */
	size_t count;
};

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

void
route_known_recall(struct routes *routes, struct route_pattern *pattern)
{
	struct route_memory *memory = pattern->memory;

	if (!memory)
		return;
	atomic_store(&pattern->known_until_us, 0);
	pattern->memory = NULL;
	TAILQ_REMOVE(&routes->remembered, pattern, by_age);
	routes->remembered_count--;
	TAILQ_REMOVE(&memory->names, pattern, of_identity);
	if (--memory->count > 0)
		return;
	table_remove(&routes->memories, &memory->link);
	free(memory);
}

static void
forget(struct routes *routes, struct route_pattern *pattern)
{
	route_known_recall(routes, pattern);
	route_pattern_tidy(routes, pattern);
}

static void
forget_old(struct routes *routes, uint64_t now_us)
{
	struct route_pattern *oldest;

	while ((oldest = TAILQ_FIRST(&routes->remembered)) &&
	    (routes->remembered_count > ROUTE_KNOWN_MOST || oldest->known_until_us <= now_us))
		forget(routes, oldest);
}

/* When memory is short it is forgotten at once. */
void
route_known_remember(
    struct routes *routes, struct route_pattern *pattern, const uint8_t *identity_key)
{
	struct route_memory *memory = memory_want(routes, identity_key);
	uint64_t now_us = clock_us();

	if (!memory) {
		memory_short("that a name was served until now");
		route_pattern_tidy(routes, pattern);
		return;
	}
	pattern->memory = memory;
	atomic_store(&pattern->known_until_us, now_us + ROUTE_KNOWN_MS * UINT64_C(1000));
	TAILQ_INSERT_TAIL(&routes->remembered, pattern, by_age);
	routes->remembered_count++;
	TAILQ_INSERT_TAIL(&memory->names, pattern, of_identity);
	if (++memory->count > ROUTE_KNOWN_OF_IDENTITY)
		forget(routes, TAILQ_FIRST(&memory->names));
	forget_old(routes, now_us);
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
