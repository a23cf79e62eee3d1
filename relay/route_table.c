/*
 * The table of announced patterns: open addressing, so that no link lies in the
 * patterns, and a bigger array can be filled while readers still probe the old
 * one.  A slot is written once: its hash, then its pattern; a pattern that goes
 * leaves a mark behind, over which probing goes on.
 */
#include "relay/route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "relay/route_private.h"

enum { FIRST_SLOTS = 64 };

struct slot {
	atomic_uint_fast64_t hash;
	_Atomic(struct route_pattern *) pattern;
};

struct route_slots {
	struct grace grace;
	size_t count; /* a power of two */
	struct slot at[];
};

/* Stands where a pattern was. */
static struct route_pattern gone;

static struct route_slots *
slots_new(size_t count)
{
	struct route_slots *slots = calloc(1, sizeof *slots + count * sizeof slots->at[0]);

	if (slots)
		slots->count = count;
	return slots;
}

static void
slots_release(struct grace *grace)
{
	free(container_of(grace, struct route_slots, grace));
}

struct routes *
route_table_new(void)
{
	struct routes *routes = calloc(1, sizeof *routes);
	struct route_slots *slots = slots_new(FIRST_SLOTS);

	if (!routes || !slots || !table_init(&routes->holders))
		goto out;
	if (!tenant_lists_init(&routes->remembered)) {
		table_wipe(&routes->holders);
		goto out;
	}
	atomic_init(&routes->slots, slots);
	arc4random_buf(routes->hash_key, sizeof routes->hash_key);
	pthread_mutex_init(&routes->lock, NULL);
	grace_start();
	return routes;
out:
	free(slots);
	free(routes);
	return NULL;
}

void
route_table_free(struct routes *routes)
{
	if (!routes)
		return;
	route_set_static(routes, "", NULL, 0);
	route_known_forget_all(routes);
	grace_wait();
	free(routes->slots);
	table_wipe(&routes->holders);
	tenant_lists_wipe(&routes->remembered);
	registry_free(routes->registry);
	pthread_mutex_destroy(&routes->lock);
	free(routes);
}

bool
route_set_registry(struct routes *routes, const struct registry_ops *ops, void *arg)
{
	return (routes->registry = registry_new(ops, arg)) != NULL;
}

struct registry *
route_registry(struct routes *routes)
{
	return routes->registry;
}

/* The slot of this very pattern or, with pattern NULL, the first one that is free. */
static struct slot *
slot_of(struct route_slots *slots, uint64_t hash, const struct route_pattern *pattern)
{
	size_t at = hash & (slots->count - 1);

	while (atomic_load_explicit(&slots->at[at].pattern, memory_order_relaxed) != pattern)
		at = (at + 1) & (slots->count - 1);
	return &slots->at[at];
}

static void
fill(struct slot *slot, uint64_t hash, struct route_pattern *pattern)
{
	atomic_store_explicit(&slot->hash, hash, memory_order_relaxed);
	atomic_store_explicit(&slot->pattern, pattern, memory_order_release);
}

struct route_pattern *
route_pattern_find(struct routes *routes, const char *name, uint64_t hash)
{
	struct route_slots *slots = atomic_load_explicit(&routes->slots, memory_order_acquire);
	struct route_pattern *pattern;

	for (size_t at = hash;; at++) {
		struct slot *slot = &slots->at[at & (slots->count - 1)];

		pattern = atomic_load_explicit(&slot->pattern, memory_order_acquire);
		if (!pattern)
			return NULL;
		if (pattern != &gone &&
		    atomic_load_explicit(&slot->hash, memory_order_relaxed) == hash &&
		    strcmp(pattern->name, name) == 0)
			return pattern;
	}
}

static void
copy(struct route_slots *to, struct route_slots *from)
{
	for (size_t i = 0; i < from->count; i++) {
		struct route_pattern *pattern =
		    atomic_load_explicit(&from->at[i].pattern, memory_order_relaxed);
		uint64_t hash = atomic_load_explicit(&from->at[i].hash, memory_order_relaxed);

		if (pattern && pattern != &gone)
			fill(slot_of(to, hash, NULL), hash, pattern);
	}
}

/* Makes room for one more. A new array is at least half free of patterns, and it is left when three
 * quarters of it are used, so that the patterns that came and went since pay for the copying. */
static bool
reserve(struct routes *routes)
{
	struct route_slots *slots = routes->slots, *bigger;
	size_t count = FIRST_SLOTS;

	if ((routes->used + 1) * 4 <= slots->count * 3)
		return true;
	while (count < (routes->live + 1) * 2)
		count *= 2;
	bigger = slots_new(count);
	if (!bigger)
		return false;
	copy(bigger, slots);
	routes->used = routes->live;
	atomic_store_explicit(&routes->slots, bigger, memory_order_release);
	grace_retire(&slots->grace, slots_release);
	return true;
}

struct route_pattern *
route_pattern_want(struct routes *routes, const char *name)
{
	uint64_t hash = route_hash(routes, name);
	struct route_pattern *pattern = route_pattern_find(routes, name, hash);
	size_t size = strlen(name) + 1;

	if (pattern || !reserve(routes))
		return pattern;
	pattern = calloc(1, sizeof *pattern + size);
	if (!pattern)
		return NULL;
	memcpy(pattern->name, name, size);
	pattern->hash = hash;
	fill(slot_of(routes->slots, hash, NULL), hash, pattern);
	routes->live++;
	routes->used++;
	atomic_fetch_add(&routes->names, 1);
	return pattern;
}

bool
route_pattern_walk(struct routes *routes, size_t at, size_t count,
    void (*each)(void *arg, struct route_pattern *), void *arg)
{
	struct route_slots *slots = routes->slots;
	size_t end = at + count < slots->count ? at + count : slots->count;

	for (; at < end; at++) {
		struct route_pattern *pattern = slots->at[at].pattern;

		if (pattern && pattern != &gone)
			each(arg, pattern);
	}
	return end < slots->count;
}

static void
pattern_release(struct grace *grace)
{
	struct route_pattern *pattern = container_of(grace, struct route_pattern, grace);

	route_absent_free(pattern->absent);
	free(pattern->set);
	free(pattern);
}

void
route_pattern_tidy(struct routes *routes, struct route_pattern *pattern)
{
	if (pattern->counts.all > 0 || pattern->remembered)
		return;
	atomic_store_explicit(
	    &slot_of(routes->slots, pattern->hash, pattern)->pattern, &gone, memory_order_release);
	routes->live--;
	atomic_fetch_add(&routes->names, 1);
	grace_retire(&pattern->grace, pattern_release);
}
