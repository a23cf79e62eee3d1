/* Static routes: counted values, and the whole set put into the table at once. */
#include "relay/route.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "relay/route_parts.h"

struct route_fixed {
	atomic_uint held;
	struct route_fixed_settings facts;	/* its texts are our own */
	char *pattern, *target, **alpn;
};

static void
fixed_free(struct route_fixed *fixed)
{
	for (size_t i = 0; fixed->alpn != NULL && i < fixed->facts.alpn_count; i++)
		free(fixed->alpn[i]);
	free(fixed->alpn);
	free(fixed->pattern);
	free(fixed->target);
	free(fixed);
}

struct route_fixed *
route_fixed_new(const struct route_fixed_settings *settings)
{
	struct route_fixed *fixed = calloc(1, sizeof(*fixed));
	bool complete;

	if (fixed == NULL)
		return NULL;
	atomic_init(&fixed->held, 1);
	fixed->facts = *settings;
	fixed->facts.pattern = fixed->pattern = strdup(settings->pattern);
	fixed->facts.target = fixed->target = strdup(settings->target);
	fixed->alpn = calloc(settings->alpn_count + 1, sizeof(char *));
	complete = fixed->pattern != NULL && fixed->target != NULL && fixed->alpn != NULL;
	for (size_t i = 0; complete && i < settings->alpn_count; i++)
		complete = (fixed->alpn[i] = strdup(settings->alpn[i])) != NULL;
	fixed->facts.alpn = (const char *const *)fixed->alpn;
	if (complete)
		return fixed;
	fixed_free(fixed);
	return NULL;
}

struct route_fixed *
route_fixed_hold(struct route_fixed *fixed)
{
	atomic_fetch_add(&fixed->held, 1);
	return fixed;
}

void
route_fixed_release(struct route_fixed *fixed)
{
	if (fixed != NULL && atomic_fetch_sub(&fixed->held, 1) == 1)
		fixed_free(fixed);
}

const struct route_fixed_settings *
route_fixed_facts(const struct route_fixed *fixed)
{
	return &fixed->facts;
}

/* What may fail comes first, so that a reload is all or nothing. */
static bool
reserve(struct routes *routes, const char *name, size_t count)
{
	struct route_pattern *pattern = route_pattern_want(routes, name);
	struct route_fixed **list;

	if (pattern == NULL)
		return false;
	/* Never fewer than it holds now, and room for all: the set is a file's, not a stranger's. */
	list = reallocarray(pattern->fixed, pattern->fixed_count + count, sizeof(*list));
	if (list == NULL)
		return false;
	pattern->fixed = list;
	return true;
}

static void
tidy(struct hash_link *link, void *arg)
{
	route_pattern_tidy(arg, container_of(link, struct route_pattern, link));
}

static void
clear_fixed(struct hash_link *link, void *arg)
{
	struct route_pattern *pattern = container_of(link, struct route_pattern, link);

	(void)arg;
	for (size_t i = 0; i < pattern->fixed_count; i++)
		route_fixed_release(pattern->fixed[i]);
	pattern->fixed_count = 0;
}

static bool
set_fixed(struct routes *routes, const char *connect_name, struct route_fixed *const *fixed, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!reserve(routes, fixed[i]->facts.pattern, count))
			return false;
	}
	table_each(&routes->patterns, clear_fixed, NULL);
	for (size_t i = 0; i < count; i++) {
		struct route_pattern *pattern = route_pattern_find(routes, fixed[i]->facts.pattern);

		pattern->fixed[pattern->fixed_count++] = route_fixed_hold(fixed[i]);
	}
	snprintf(routes->connect_name, sizeof(routes->connect_name), "%s", connect_name);
	return true;
}

bool
route_set_fixed(struct routes *routes, const char *connect_name, struct route_fixed *const *fixed, size_t count)
{
	bool fine;

	pthread_rwlock_wrlock(&routes->lock);
	fine = set_fixed(routes, connect_name, fixed, count);
	table_each(&routes->patterns, tidy, routes);
	pthread_rwlock_unlock(&routes->lock);
	return fine;
}

bool
route_is_reserved(struct routes *routes, const char *name)
{
	const struct route_pattern *pattern;
	bool reserved;

	pthread_rwlock_rdlock(&routes->lock);
	pattern = route_pattern_find(routes, name);
	reserved = (pattern != NULL && pattern->fixed_count > 0) || strcmp(name, routes->connect_name) == 0;
	pthread_rwlock_unlock(&routes->lock);
	return reserved;
}
