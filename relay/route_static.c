/* Static routes: counted values, and the whole set put into the table at once. */
#include "relay/route.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "relay/route_private.h"

struct route_static {
	atomic_uint held;
	struct route_static_settings facts;	/* its texts are our own */
	char *pattern, *target, **alpn;
};

static void
static_free(struct route_static *static_route)
{
	for (size_t i = 0; static_route->alpn != NULL && i < static_route->facts.alpn_count; i++)
		free(static_route->alpn[i]);
	free(static_route->alpn);
	free(static_route->pattern);
	free(static_route->target);
	free(static_route);
}

struct route_static *
route_static_new(const struct route_static_settings *settings)
{
	struct route_static *static_route = calloc(1, sizeof(*static_route));
	bool complete;

	if (static_route == NULL)
		return NULL;
	atomic_init(&static_route->held, 1);
	static_route->facts = *settings;
	static_route->facts.pattern = static_route->pattern = strdup(settings->pattern);
	static_route->facts.target = static_route->target = strdup(settings->target);
	static_route->alpn = calloc(settings->alpn_count + 1, sizeof(char *));
	complete = static_route->pattern != NULL && static_route->target != NULL && static_route->alpn != NULL;
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
	if (static_route != NULL && atomic_fetch_sub(&static_route->held, 1) == 1)
		static_free(static_route);
}

const struct route_static_settings *
route_static_config(const struct route_static *static_route)
{
	return &static_route->facts;
}

/* What may fail comes first, so that a reload is all or nothing. */
static bool
reserve(struct routes *routes, const char *name, size_t count)
{
	struct route_pattern *pattern = route_pattern_want(routes, name);
	struct route_static **list;

	if (pattern == NULL)
		return false;
	/* Never fewer than it holds now, and room for all: the set is a file's, not a stranger's. */
	list = reallocarray(pattern->static_route, pattern->static_count + count, sizeof(*list));
	if (list == NULL)
		return false;
	pattern->static_route = list;
	return true;
}

static void
tidy(struct hash_link *link, void *arg)
{
	route_pattern_tidy(arg, container_of(link, struct route_pattern, link));
}

static void
clear_static(struct hash_link *link, void *arg)
{
	struct route_pattern *pattern = container_of(link, struct route_pattern, link);

	(void)arg;
	for (size_t i = 0; i < pattern->static_count; i++)
		route_static_release(pattern->static_route[i]);
	pattern->static_count = 0;
}

static bool
set_static(struct routes *routes, const char *connect_name, struct route_static *const *static_route, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!reserve(routes, static_route[i]->facts.pattern, count))
			return false;
	}
	table_each(&routes->patterns, clear_static, NULL);
	for (size_t i = 0; i < count; i++) {
		struct route_pattern *pattern = route_pattern_find(routes, static_route[i]->facts.pattern);

		pattern->static_route[pattern->static_count++] = route_static_hold(static_route[i]);
	}
	snprintf(routes->connect_name, sizeof(routes->connect_name), "%s", connect_name);
	return true;
}

bool
route_set_static(struct routes *routes, const char *connect_name, struct route_static *const *static_route, size_t count)
{
	bool fine;

	pthread_rwlock_wrlock(&routes->lock);
	fine = set_static(routes, connect_name, static_route, count);
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
	reserved = (pattern != NULL && pattern->static_count > 0) || strcmp(name, routes->connect_name) == 0;
	pthread_rwlock_unlock(&routes->lock);
	return reserved;
}
