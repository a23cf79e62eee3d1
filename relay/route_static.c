/* Static routes: counted values, and the set of them, which never changes and is swapped as a whole. */
#include "relay/route.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "relay/route_private.h"

struct route_static {
	atomic_uint held;
	struct route_static_settings facts; /* its texts are our own */
	char *pattern, *target, **alpn;
};

static void
static_free(struct route_static *static_route)
{
	for (size_t i = 0; static_route->alpn && i < static_route->facts.alpn_count; i++)
		free(static_route->alpn[i]);
	free(static_route->alpn);
	free(static_route->pattern);
	free(static_route->target);
	free(static_route);
}

struct route_static *
route_static_new(const struct route_static_settings *settings)
{
	struct route_static *static_route = calloc(1, sizeof *static_route);
	bool complete;

	if (!static_route)
		return NULL;
	atomic_init(&static_route->held, 1);
	static_route->facts = *settings;
	static_route->facts.pattern = static_route->pattern = strdup(settings->pattern);
	static_route->facts.target = static_route->target = strdup(settings->target);
	static_route->alpn = calloc(settings->alpn_count + 1, sizeof(char *));
	complete = static_route->pattern && static_route->target && static_route->alpn;
	for (size_t i = 0; complete && i < settings->alpn_count; i++)
		complete = (static_route->alpn[i] = strdup(settings->alpn[i])) != NULL;
	static_route->facts.alpn = (const char *const *)static_route->alpn;
	if (complete)
		return static_route;
	static_free(static_route);
	return NULL;
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
struct entry {
	struct hash_link link;
	struct route_static *static_route; /* held */
	const struct entry *same; /* the next one of this pattern, in the order of the file */
};

struct route_static_set {
	struct grace grace;
	char connect_name[NAME_SIZE];
	struct table patterns;
	size_t count;
	struct entry entries[];
};

static void
set_free(struct route_static_set *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->count; i++)
		route_static_release(set->entries[i].static_route);
	table_wipe(&set->patterns);
	free(set);
}

static void
set_release(struct grace *grace)
{
	set_free(container_of(grace, struct route_static_set, grace));
}

static bool
has_pattern(const struct hash_link *at, const void *pattern)
{
	return strcmp(container_of(at, const struct entry, link)->static_route->facts.pattern,
		   pattern) == 0;
}

static struct entry *
first_of(const struct route_static_set *set, const char *pattern)
{
	uint64_t hash = table_hash(&set->patterns, pattern, strlen(pattern));
	struct hash_link *at = table_find(&set->patterns, hash, has_pattern, pattern);

	return at ? container_of(at, struct entry, link) : NULL;
}

/* Called from the last route to the first, so that each goes in front of the others of its
 * pattern. */
static void
add(struct route_static_set *set, struct entry *entry, struct route_static *static_route)
{
	const char *pattern = static_route->facts.pattern;
	struct entry *after = first_of(set, pattern);

	entry->static_route = route_static_hold(static_route);
	entry->same = after;
	if (after)
		table_remove(&set->patterns, &after->link);
	table_add(
	    &set->patterns, &entry->link, table_hash(&set->patterns, pattern, strlen(pattern)));
}

static struct route_static_set *
set_new(const char *connect_name, struct route_static *const *static_route, size_t count)
{
	struct route_static_set *set = calloc(1, sizeof *set + count * sizeof set->entries[0]);

	if (!set || !table_init(&set->patterns)) {
		free(set);
		return NULL;
	}
	snprintf(set->connect_name, sizeof set->connect_name, "%s", connect_name);
	set->count = count;
	for (size_t i = count; i-- > 0;)
		add(set, &set->entries[i], static_route[i]);
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
	    ? set_new(connect_name, static_route, count)
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
fits(const struct route_static_settings *facts, const struct route_question *question)
{
	for (size_t i = 0; i < facts->alpn_count; i++) {
		if (is_offered(question, facts->alpn[i]))
			return true;
	}
	return facts->alpn_count == 0;
}

struct route_static *
route_static_find(struct routes *routes, const char *pattern, const struct route_question *question,
    bool only_any_depth)
{
	const struct route_static_set *set =
	    atomic_load_explicit(&routes->statics, memory_order_acquire);

	for (const struct entry *at = set ? first_of(set, pattern) : NULL; at; at = at->same) {
		const struct route_static_settings *facts = &at->static_route->facts;

		if ((facts->any_depth || !only_any_depth) && fits(facts, question))
			return at->static_route;
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
	reserved = set && (strcmp(set->connect_name, pattern) == 0 || first_of(set, pattern));
	grace_leave();
	return reserved;
}
