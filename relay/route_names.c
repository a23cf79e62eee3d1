/* All names that are served or remembered, for who keeps them over a restart. */
#include "relay/route.h"

#include "base/clock.h"
#include "relay/route_private.h"
#include "relay/session_ref.h"
#include "relay/usage.h"

/* Slots looked at under one lock, which an announcer may wait for. */
enum { SLOTS_AT_ONCE = 512 };

struct names_taker {
	struct routes *routes;
	void (*take)(void *arg, const struct route_name *);
	void *arg;
};

/* Of an endpoint that is there, whichever: they all may serve the name. */
static struct route_name
of_served(const struct route_pattern *pattern)
{
	const struct route_set *set = pattern->set;
	struct session_ref *ref = set->at[0]->session_ref;

	return (struct route_name){ .name = pattern->name,
		.identity_key = identity_key(session_ref_identity(ref)),
		.tenant_key = usage_tenant_key(session_ref_usage(ref)) };
}

/* One whose agents were sent away for their certificate is not waited for here, nor after a restart. */
static void
pass_on(void *arg, struct route_pattern *pattern)
{
	const struct names_taker *to = arg;
	struct route_name name;

	if (pattern->counts.all > 0)
		name = of_served(pattern);
	else if (!pattern->is_awaited || !route_known_describe(to->routes, pattern, &name))
		return;
	to->take(to->arg, &name);
}

void
route_names_each(
    struct routes *routes, void (*take)(void *arg, const struct route_name *), void *arg)
{
	struct names_taker to = { routes, take, arg };
	bool is_over = false;

	for (size_t at = 0; !is_over; at += SLOTS_AT_ONCE) {
		pthread_mutex_lock(&routes->lock);
		is_over = !route_pattern_walk(routes, at, SLOTS_AT_ONCE, pass_on, &to);
		pthread_mutex_unlock(&routes->lock);
	}
}

void
route_names_remember(struct routes *routes, const struct route_name *name)
{
	struct route_pattern *pattern;

	pthread_mutex_lock(&routes->lock);
	pattern = route_pattern_want(routes, name->name);
	if (pattern && pattern->counts.all == 0 && !pattern->remembered) {
		atomic_store(&pattern->is_awaited, true);
		route_known_remember(routes, pattern, name->identity_key, name->tenant_key);
	}
	pthread_mutex_unlock(&routes->lock);
}

void
route_names_tidy(struct routes *routes)
{
	pthread_mutex_lock(&routes->lock);
	route_known_tidy(routes);
	pthread_mutex_unlock(&routes->lock);
}

uint64_t
route_names_version(const struct routes *routes)
{
	return atomic_load(&routes->names);
}
