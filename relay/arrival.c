/*
 * The kinds of arrivals and their bounds.  A replayed hello of a session costs
 * half a millisecond of CPU and an honest handshake about one, a channel's a tenth
 * of that; so all bounds of agents are derived from one number.
 */
#include "relay/arrival.h"

#include <assert.h>
#include "base/address.h"
#include "base/rate.h"
#include "relay/settings.h"

enum arrival { SESSION_UNKNOWN, SESSION_KNOWN, CHANNEL_UNKNOWN, CHANNEL_KNOWN, FLOW, ARRIVALS };
static_assert((int)ARRIVALS <= (int)RATE_KINDS_MOST, "the table has more kinds");

/*
 * In twentieths of limits.sessions_per_second; 0: no bound.  Behind one address whole
 * sites of agents come back at the same time: once the first of them is in, the
 * others are known.  A channel needs the key of a session that is up, so that those
 * of known peers are bounded only for what the handshakes cost.
 */
static const struct {
	uint64_t host, network, all;
} twentieths[] = {
	[SESSION_UNKNOWN] = { 1, 2, 20 },
	[SESSION_KNOWN] = { 20, 40, 40 },
	[CHANNEL_UNKNOWN] = { 10, 20, 50 },
	[CHANNEL_KNOWN] = { 0, 0, 500 },
};

static const char *const agent_troubles[] = {
	[RATE_OK] = NULL,
	[RATE_HOST] = "limits.sessions_per_second: too many come from this address",
	[RATE_NETWORK] = "limits.sessions_per_second: too many come from this network",
	[RATE_SHARE] = "limits.sessions_per_second is reached, and most of them come from here",
	[RATE_ALL] = "limits.sessions_per_second is reached",
};

static const char *const flow_troubles[] = {
	[RATE_OK] = NULL,
	[RATE_HOST] = "limits.flows_per_client_per_second is reached",
	[RATE_NETWORK] = "limits.flows_per_client_per_second is reached",
	[RATE_SHARE] = "limits.flows_per_second is reached, and most of them come from here",
	[RATE_ALL] = "limits.flows_per_second is reached",
};

/* Rounded up, so that only 0 is no bound. */
static uint64_t
part_of(uint64_t bound, uint64_t parts)
{
	return (bound * parts + 19) / 20;
}

void
arrival_set_bounds(struct rate_table *rates, const struct settings_limits *limits)
{
	const struct rate_bounds flows = { .per_host = limits->flows_per_client_per_second,
		.in_all = limits->flows_per_second,
		.per_name = limits->flows_per_name_per_second };

	for (unsigned i = 0; i < sizeof twentieths / sizeof twentieths[0]; i++) {
		uint64_t sessions = limits->sessions_per_second;
		const struct rate_bounds bounds = { part_of(sessions, twentieths[i].host),
			part_of(sessions, twentieths[i].network),
			part_of(sessions, twentieths[i].all), 0 };

		rate_set(rates, i, &bounds);
	}
	rate_set(rates, FLOW, &flows);
}

const char *
arrival_of_agent(
    struct rate_table *rates, const struct address *client, bool is_session, bool is_known)
{
	enum arrival kind = is_session ? (is_known ? SESSION_KNOWN : SESSION_UNKNOWN)
				       : (is_known ? CHANNEL_KNOWN : CHANNEL_UNKNOWN);

	return agent_troubles[rate_take(rates, kind, client)];
}

const char *
arrival_of_flow(struct rate_table *rates, const struct address *client)
{
	return flow_troubles[rate_take(rates, FLOW, client)];
}

const char *
arrival_of_name(struct rate_table *rates, const char *pattern)
{
	return rate_take_name(rates, FLOW, pattern) ? NULL
						    : "limits.flows_per_name_per_second is reached";
}
