/*
 * The memory of names: a pattern without endpoints stays in the table for a
 * while.  It is in the lists of the tenant that served it last (tenant_lists.h).
 *
 * No agent can come back while this process stands still (SIGSTOP, a host that is
 * paused), so that time does not count: route_names_tick() is to be called each
 * second, and what passes without it, beyond some seconds, is taken off.
 */
#include "relay/route.h"

#include <stdlib.h>
#include "base/clock.h"
#include "base/memory.h"
#include "relay/route_private.h"

enum { STILL_US = 3000000 };

uint64_t
route_alive_us(const struct routes *routes)
{
	uint64_t now_us = clock_us(), tick_us = atomic_load(&routes->tick_us);

	if (tick_us > 0 && now_us > tick_us + STILL_US)
		now_us = tick_us + STILL_US;
	return now_us - atomic_load(&routes->still_us);
}

/* Between the two stores a reader only takes it for earlier than it is. */
void
route_names_tick(struct routes *routes)
{
	uint64_t now_us = clock_us(), tick_us = atomic_load(&routes->tick_us);

	if (tick_us > 0 && now_us > tick_us + STILL_US)
		atomic_fetch_add(&routes->still_us, now_us - tick_us - STILL_US);
	atomic_store(&routes->tick_us, now_us);
}

/* A pattern without endpoints; most patterns have some, so it is not a part of them. */
struct route_remembered {
	struct tenant_item item;
	struct route_pattern *pattern;
	uint8_t identity[IDENTITY_KEY_BYTES]; /* who has served it last */
};

/* NULL of NULL. */
static struct route_pattern *
pattern_at(struct tenant_item *item)
{
	return item ? container_of(item, struct route_remembered, item)->pattern : NULL;
}

void
route_known_recall(struct routes *routes, struct route_pattern *pattern)
{
	struct route_remembered *remembered = pattern->remembered;

	if (!remembered)
		return;
	atomic_store(&pattern->known_until_us, 0);
	pattern->remembered = NULL;
	tenant_lists_remove(&routes->remembered, &remembered->item);
	free(remembered);
}

static void
forget(struct routes *routes, struct route_pattern *pattern)
{
	route_known_recall(routes, pattern);
	route_pattern_tidy(routes, pattern);
}

/* What is too old, and what is too much: who has most loses his oldest. */
void
route_known_tidy(struct routes *routes)
{
	struct route_pattern *pattern;

	while ((pattern = pattern_at(tenant_lists_oldest(&routes->remembered))) &&
	    !route_known_is(routes, pattern))
		forget(routes, pattern);
	while ((pattern = pattern_at(tenant_lists_surplus(&routes->remembered, ROUTE_KNOWN_MOST))))
		forget(routes, pattern);
}

/* False when memory is short. */
static bool
remember(struct routes *routes, struct route_pattern *pattern, const uint8_t *identity,
    const uint8_t *tenant_key)
{
	struct route_remembered *remembered = calloc(1, sizeof *remembered);

	if (!remembered || !tenant_lists_add(&routes->remembered, &remembered->item, tenant_key)) {
		free(remembered);
		return false;
	}
	remembered->pattern = pattern;
	memcpy(remembered->identity, identity, sizeof remembered->identity);
	pattern->remembered = remembered;
	return true;
}

void
route_known_expect(struct routes *routes, struct route_pattern *pattern)
{
	atomic_store(
	    &pattern->known_until_us, route_alive_us(routes) + ROUTE_KNOWN_MS * UINT64_C(1000));
}

/* When memory is short it is forgotten at once. */
void
route_known_remember(struct routes *routes, struct route_pattern *pattern, const uint8_t *identity,
    const uint8_t *tenant_key)
{
	if (!remember(routes, pattern, identity, tenant_key)) {
		memory_short("that a name was served until now");
		atomic_store(&pattern->known_until_us, 0);
		route_pattern_tidy(routes, pattern);
		return;
	}
	route_known_expect(routes, pattern);
	route_known_tidy(routes);
}

bool
route_known_describe(
    const struct routes *routes, const struct route_pattern *pattern, struct route_name *name)
{
	const struct route_remembered *remembered = pattern->remembered;

	if (!remembered || !route_known_is(routes, pattern))
		return false;
	*name = (struct route_name){ .name = pattern->name,
		.identity_key = remembered->identity,
		.tenant_key = tenant_lists_key(&remembered->item) };
	return true;
}

void
route_known_forget_all(struct routes *routes)
{
	struct route_pattern *pattern;

	while ((pattern = pattern_at(tenant_lists_oldest(&routes->remembered))))
		forget(routes, pattern);
}

bool
route_known_is(const struct routes *routes, const struct route_pattern *pattern)
{
	return atomic_load(&pattern->known_until_us) > route_alive_us(routes);
}
