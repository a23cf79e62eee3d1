/*
 * Agents that have left a name a moment ago and may come back, where agents have lists of addresses.
 * A client whom those that are there refuse waits for one of them if it would let him in, and is
 * refused at once if none would.
 *
 * A record is immutable and replaced as a whole, since readers look at it without the lock.  What has
 * no room in it counts as somebody who lets everybody in: to wait in vain is better than to be
 * refused in vain.
 */
#include "relay/route.h"

#include <stdlib.h>
#include <string.h>
#include "base/address_rules.h"
#include "base/memory.h"
#include "relay/route_private.h"
#include "relay/session_ref.h"

enum { ABSENT_MOST = 4 };

struct absent_agent {
	uint64_t agent;                  /* a hash of its identity and instance; 0: several */
	uint64_t until_us;               /* by route_alive_us() */
	struct address_rules *addresses; /* held; NULL: it lets everybody in */
};

struct route_absent {
	struct grace grace;
	struct routes *routes;
	size_t count;
	struct absent_agent at[ABSENT_MOST];
};

static uint64_t
agent_of(const struct routes *routes, const struct session_ref *ref)
{
	uint8_t who[IDENTITY_KEY_BYTES + INSTANCE_BYTES];

	memcpy(who, identity_key(session_ref_identity(ref)), IDENTITY_KEY_BYTES);
	memcpy(who + IDENTITY_KEY_BYTES, session_ref_instance(ref), INSTANCE_BYTES);
	return hash_bytes(routes->hash_key, who, sizeof who) | 1;
}

static size_t
weight_of(const struct address_rules *addresses)
{
	return address_rules_allow(addresses).count + address_rules_deny(addresses).count;
}

/* Lists that would be too many are left out. */
static void
add(struct route_absent *absent, const struct absent_agent *from)
{
	struct absent_agent *to = &absent->at[absent->count++];
	size_t weight = weight_of(from->addresses);

	*to = *from;
	if (atomic_fetch_add(&absent->routes->absent_prefixes, weight) + weight <=
	    ROUTE_ABSENT_MOST) {
		address_rules_hold(to->addresses);
		return;
	}
	atomic_fetch_sub(&absent->routes->absent_prefixes, weight);
	to->addresses = NULL;
}

static void
drop_last(struct route_absent *absent)
{
	struct address_rules *addresses = absent->at[--absent->count].addresses;

	atomic_fetch_sub(&absent->routes->absent_prefixes, weight_of(addresses));
	address_rules_release(addresses);
}

void
route_absent_free(struct route_absent *absent)
{
	while (absent && absent->count > 0)
		drop_last(absent);
	free(absent);
}

static void
on_grace(struct grace *grace)
{
	route_absent_free(container_of(grace, struct route_absent, grace));
}

/* NULL is none. */
static void
replace(struct route_pattern *pattern, struct route_absent *absent)
{
	struct route_absent *old = atomic_exchange(&pattern->absent, absent);

	if (old)
		grace_retire(&old->grace, on_grace);
}

/* Those of now but for this agent. NULL when memory is short. */
static struct route_absent *
copy_without(struct routes *routes, const struct route_absent *from, uint64_t agent)
{
	struct route_absent *absent = calloc(1, sizeof *absent);
	uint64_t now_us = route_alive_us(routes);

	if (!absent)
		return NULL;
	absent->routes = routes;
	for (size_t i = 0; from && i < from->count; i++)
		if (from->at[i].until_us > now_us && from->at[i].agent != agent)
			add(absent, &from->at[i]);
	return absent;
}

void
route_absent_note(
    struct routes *routes, struct route_pattern *pattern, const struct route_claim *claim)
{
	struct absent_agent left = { .agent = agent_of(routes, claim->session_ref),
		.until_us = route_alive_us(routes) + ROUTE_KNOWN_MS * UINT64_C(1000),
		.addresses = claim->addresses };
	struct route_absent *absent;

	if (!claim->addresses && pattern->listed == 0)
		return;
	absent = copy_without(routes, atomic_load(&pattern->absent), left.agent);
	if (!absent) {
		memory_short("whom an agent that has left lets in");
		replace(pattern, NULL);
		return;
	}
	if (absent->count == ABSENT_MOST) { /* it and the last one become one */
		drop_last(absent);
		left.agent = 0;
		left.addresses = NULL;
	}
	add(absent, &left);
	replace(pattern, absent);
}

void
route_absent_return(
    struct routes *routes, struct route_pattern *pattern, const struct route_claim *claim)
{
	const struct route_absent *now = atomic_load(&pattern->absent);
	struct route_absent *absent;

	if (!now)
		return;
	absent = copy_without(routes, now, agent_of(routes, claim->session_ref));
	if (!absent)
		memory_short("whom agents that have left let in");
	else if (absent->count == 0) {
		free(absent);
		absent = NULL;
	}
	replace(pattern, absent);
}

bool
route_absent_admits(const struct route_absent *absent, const struct address *client)
{
	uint64_t now_us = absent ? route_alive_us(absent->routes) : 0;

	for (size_t i = 0; absent && i < absent->count; i++)
		if (absent->at[i].until_us > now_us &&
		    address_rules_admit(absent->at[i].addresses, client))
			return true;
	return false;
}
