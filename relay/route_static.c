/* Static routes: counted values, and the set of them, which never changes and is swapped as a whole. */
#include "relay/route.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/address_rules.h"
#include "base/upstream_group.h"
#include "base/upstream_outage.h"
#include "relay/route_private.h"

struct route_static {
	atomic_uint held;
	struct route_static_settings facts; /* what it points at is our own */
	struct upstream_outage outage;
	char texts[];
};

static void
conditions_free(const struct route_conditions *when)
{
	for (size_t i = 0; when && when->alpn && i < when->alpn_count; i++)
		free((void *)(uintptr_t)when->alpn[i]);
	if (when) {
		free((void *)(uintptr_t)when->alpn);
		free((void *)(uintptr_t)when->sources);
		free((void *)(uintptr_t)when->listeners);
	}
	free((void *)(uintptr_t)when);
}

/* NULL when memory is short, never because there are none. */
static void *
list_copy(const void *from, size_t count, size_t item_bytes)
{
	void *copy = calloc(count + 1, item_bytes);

	if (copy && count > 0)
		memcpy(copy, from, count * item_bytes);
	return copy;
}

static const struct route_conditions *
conditions_copy(const struct route_conditions *from)
{
	struct route_conditions *when = calloc(1, sizeof *when);
	char **alpn = calloc(from->alpn_count + 1, sizeof *alpn);
	bool complete;

	if (!when || !alpn) {
		free(when);
		free(alpn);
		return NULL;
	}
	*when = *from;
	when->alpn = (const char *const *)alpn;
	when->sources = list_copy(from->sources, from->source_count, sizeof *from->sources);
	when->listeners = list_copy(from->listeners, from->listener_count, sizeof *from->listeners);
	complete = when->sources && when->listeners;
	for (size_t i = 0; complete && i < from->alpn_count; i++)
		complete = (alpn[i] = strdup(from->alpn[i])) != NULL;
	if (complete)
		return when;
	conditions_free(when);
	return NULL;
}

static void
static_free(struct route_static *static_route)
{
	conditions_free(static_route->facts.when);
	upstream_group_release(static_route->facts.group);
	free((void *)(uintptr_t)static_route->facts.fence);
	address_rules_release(static_route->facts.addresses);
	upstream_outage_wipe(&static_route->outage);
	free(static_route);
}

struct route_static *
route_static_new(const struct route_static_settings *settings)
{
	size_t pattern_size = strlen(settings->pattern) + 1;
	size_t target_size = strlen(settings->target) + 1;
	struct route_static *static_route =
	    calloc(1, sizeof *static_route + pattern_size + target_size);

	if (!static_route)
		return NULL;
	atomic_init(&static_route->held, 1);
	static_route->facts = *settings;
	static_route->facts.pattern = memcpy(static_route->texts, settings->pattern, pattern_size);
	static_route->facts.target =
	    memcpy(static_route->texts + pattern_size, settings->target, target_size);
	static_route->facts.when = settings->when ? conditions_copy(settings->when) : NULL;
	static_route->facts.fence = settings->fence
	    ? list_copy(settings->fence, settings->fence_count, sizeof *settings->fence)
	    : NULL;
	address_rules_hold(static_route->facts.addresses);
	if (settings->group)
		upstream_group_hold(settings->group);
	if (!settings->when == !static_route->facts.when &&
	    !settings->fence == !static_route->facts.fence)
		return static_route;
	static_free(static_route);
	return NULL;
}

void
route_static_adopt(struct route_static *static_route, struct upstream_group *group)
{
	upstream_group_release(static_route->facts.group);
	static_route->facts.group = upstream_group_hold(group);
}

struct upstream_outage *
route_static_outage(struct route_static *static_route)
{
	return &static_route->outage;
}

struct route_static *
route_static_hold(struct route_static *static_route)
{
	atomic_fetch_add(&static_route->held, 1);
	return static_route;
}

void
route_static_release(struct route_static *static_route)
{
	if (static_route && atomic_fetch_sub(&static_route->held, 1) == 1)
		static_free(static_route);
}

const struct route_static_settings *
route_static_config(const struct route_static *static_route)
{
	return &static_route->facts;
}

/* One static route in the set; of those with one pattern only the first is in the table. */
struct static_entry {
	struct route_static *static_route; /* held */
	uint32_t hash; /* half of it, so that most others are told without a look at them */
	uint32_t same; /* the next one of this pattern, in the order of the file; 0: none */
};

/* Entries are known by their index plus one, which is half of a pointer's weight. */
struct route_static_set {
	struct grace grace;
	char connect_name[NAME_SIZE];
	uint32_t *slots;   /* the first entry of a pattern, by its hash; 0: none */
	size_t slot_count; /* a power of two, and a quarter of them at least are free */
	size_t count;
	struct static_entry entries[];
};

static void
set_free(struct route_static_set *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->count; i++)
		route_static_release(set->entries[i].static_route);
	free(set->slots);
	free(set);
}

static void
set_release(struct grace *grace)
{
	set_free(container_of(grace, struct route_static_set, grace));
}

static bool
has_pattern(const struct static_entry *entry, const char *pattern, uint64_t hash)
{
	return entry->hash == hash >> 32 &&
	    strcmp(entry->static_route->facts.pattern, pattern) == 0;
}

/* The slot of this pattern, or the free one where it would be. */
static uint32_t *
slot_of(const struct route_static_set *set, const char *pattern, uint64_t hash)
{
	size_t at = hash & (set->slot_count - 1);

	while (
	    set->slots[at] != 0 && !has_pattern(&set->entries[set->slots[at] - 1], pattern, hash))
		at = (at + 1) & (set->slot_count - 1);
	return &set->slots[at];
}

static const struct static_entry *
entry_at(const struct route_static_set *set, uint32_t number)
{
	return number != 0 ? &set->entries[number - 1] : NULL;
}

/* Called from the last route to the first, so that each goes in front of the others of its
 * pattern. */
static void
add(struct route_static_set *set, size_t index, struct route_static *static_route, uint64_t hash)
{
	uint32_t *slot = slot_of(set, static_route->facts.pattern, hash);

	set->entries[index] =
	    (struct static_entry){ .static_route = route_static_hold(static_route),
		    .hash = (uint32_t)(hash >> 32),
		    .same = *slot };
	*slot = (uint32_t)index + 1;
}

static struct route_static_set *
set_new(struct routes *routes, const char *connect_name, struct route_static *const *static_route,
    size_t count)
{
	struct route_static_set *set = calloc(1, sizeof *set + count * sizeof set->entries[0]);

	if (!set)
		return NULL;
	set->slot_count = 1;
	while (set->slot_count * 3 < (count + 1) * 4)
		set->slot_count *= 2;
	set->slots = calloc(set->slot_count, sizeof *set->slots);
	if (!set->slots) {
		free(set);
		return NULL;
	}
	snprintf(set->connect_name, sizeof set->connect_name, "%s", connect_name);
	set->count = count;
	for (size_t i = count; i-- > 0;)
		add(set, i, static_route[i], route_hash(routes, static_route[i]->facts.pattern));
	return set;
}

/* Under the writers' lock, so that whoever announces afterwards sees the new set. */
static void
swap(struct routes *routes, struct route_static_set *set)
{
	struct route_static_set *old;

	pthread_mutex_lock(&routes->lock);
	old = atomic_exchange(&routes->statics, set);
	pthread_mutex_unlock(&routes->lock);
	atomic_fetch_add(&routes->arrivals, 1);
	if (old)
		grace_retire(&old->grace, set_release);
}

bool
route_set_static(struct routes *routes, const char *connect_name,
    struct route_static *const *static_route, size_t count)
{
	struct route_static_set *set = count > 0 || connect_name[0] != '\0'
	    ? set_new(routes, connect_name, static_route, count)
	    : NULL;

	if (!set && (count > 0 || connect_name[0] != '\0'))
		return false;
	swap(routes, set);
	return true;
}

static bool
is_offered(const struct route_question *question, const char *protocol)
{
	size_t length = strlen(protocol);

	for (size_t at = 0; at < question->alpn_bytes; at += 1u + question->alpn[at]) {
		if (question->alpn[at] == length && length < question->alpn_bytes - at &&
		    memcmp(question->alpn + at + 1, protocol, length) == 0)
			return true;
	}
	return false;
}

static bool
offers_one(const struct route_question *question, const struct route_conditions *when)
{
	for (size_t i = 0; i < when->alpn_count; i++) {
		if (is_offered(question, when->alpn[i]))
			return true;
	}
	return when->alpn_count == 0;
}

static bool
comes_from_one(const struct route_question *question, const struct route_conditions *when)
{
	const struct address client = address_of_ip(&question->client);

	for (size_t i = 0; i < when->source_count; i++) {
		if (prefix_holds(&when->sources[i], &client))
			return true;
	}
	return when->source_count == 0;
}

static bool
came_by_one(const struct route_question *question, const struct route_conditions *when)
{
	if (when->listener_count == 0)
		return true;
	for (size_t i = 0; i < when->listener_count && question->listener; i++) {
		const struct address wanted = address_of_ip(&when->listeners[i]);
		const struct address by = address_of_ip(question->listener);

		if (address_equals(&wanted, &by))
			return true;
	}
	return false;
}

static bool
fits(const struct route_static_settings *facts, const struct route_question *question)
{
	const struct route_conditions *when = facts->when;

	return !when ||
	    (offers_one(question, when) && comes_from_one(question, when) &&
		came_by_one(question, when));
}

struct route_static *
route_static_find(struct routes *routes, const char *pattern, uint64_t hash,
    const struct route_question *question, bool only_any_depth, bool *is_unmet)
{
	const struct route_static_set *set =
	    atomic_load_explicit(&routes->statics, memory_order_acquire);
	const struct static_entry *at = set ? entry_at(set, *slot_of(set, pattern, hash)) : NULL;

	for (; at; at = entry_at(set, at->same)) {
		const struct route_static_settings *facts = &at->static_route->facts;

		if (!facts->any_depth && only_any_depth)
			continue;
		if (fits(facts, question))
			return at->static_route;
		*is_unmet = true;
	}
	return NULL;
}

bool
route_is_reserved(struct routes *routes, const char *pattern)
{
	const struct route_static_set *set;
	bool reserved;

	grace_enter();
	set = atomic_load_explicit(&routes->statics, memory_order_acquire);
	reserved = set &&
	    (strcmp(set->connect_name, pattern) == 0 ||
		*slot_of(set, pattern, route_hash(routes, pattern)) != 0);
	grace_leave();
	return reserved;
}
