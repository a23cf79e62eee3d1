/* Takes a snapshot: what the main thread knows, and what the workers answer. */
#include "relay/metrics_snapshot.h"

#include <stdlib.h>
#include "base/clock.h"
#include "base/name_counts.h"
#include "base/web.h"
#include "relay/name_flows.h"
#include "relay/relay_private.h"
#include "relay/rules.h"
#include "relay/session_table.h"
#include "relay/usage.h"

/* Until every worker has answered. */
struct taking {
	struct relay *relay;
	struct relay_snapshot *snapshot;
	unsigned missing;
	struct question questions[];
};

void
relay_snapshot_free(void *arg)
{
	struct relay_snapshot *snapshot = arg;

	for (int i = 0; i < METRICS_FORMATS; i++)
		for (int k = 0; k < 2; k++)
			web_text_release(snapshot->text[i][k]);
	rules_release(snapshot->rules);
	free(snapshot->routes_open);
	free(snapshot->routes);
	free(snapshot);
}

/* ---- what the main thread knows ---- */

void
relay_metrics_sum(const struct shared *shared, struct relay_metrics_sums *sums)
{
	*sums = (struct relay_metrics_sums){ 0 };
	for (unsigned i = 0; i < shared->worker_count; i++)
		worker_add_metrics(shared->workers[i], sums);
}

static void
add_shares(struct relay_snapshot *snapshot, const char *name, struct shares *shares)
{
	snapshot->limits[snapshot->limit_count++] =
	    (struct metrics_limit){ name, shares_load(shares) };
}

/* Of agents: what their usages have, and how many had to leave is told by the ends of sessions. */
static void
add_limit(struct relay_snapshot *snapshot, const char *name, uint64_t used, uint64_t most)
{
	snapshot->limits[snapshot->limit_count++] =
	    (struct metrics_limit){ name, { .count = used, .weight = used, .most = most } };
}

static void
take_limits(struct relay_snapshot *snapshot)
{
	const struct shared *shared = snapshot->shared;

	add_shares(snapshot, "flows", shared->flows);
	add_shares(snapshot, "hellos", shared->hellos);
	add_shares(snapshot, "hello_memory_units", shared->hello_bytes);
	add_shares(snapshot, "agent_hellos", shared->agent_hellos);
	add_shares(snapshot, "handshakes_unknown", shared->unknown_peers);
	add_shares(snapshot, "handshakes_known", shared->known_peers);
	add_shares(snapshot, "channel_handshakes", shared->channels);
	add_shares(snapshot, "lingers", shared->lingers);
	add_shares(snapshot, "flows_waiting", shared->waits);
	add_shares(snapshot, "lookups", shared->strange_lookups);
	add_limit(snapshot, "sessions", snapshot->sessions, snapshot->rules->limits.sessions);
	add_limit(snapshot, "channels", snapshot->channels, snapshot->rules->limits.channels);
	add_limit(
	    snapshot, "endpoints", snapshot->endpoints, snapshot->rules->settings.limits.endpoints);
}

static void
take_agents(struct relay_snapshot *snapshot)
{
	struct shared *shared = snapshot->shared;

	snapshot->sessions = session_table_count(shared->session_table);
	snapshot->endpoints = usage_total(shared->usage_table, USAGE_ENDPOINTS);
	snapshot->channels = usage_total(shared->usage_table, USAGE_PARKED);
}

static void
take_routes(struct relay_snapshot *snapshot)
{
	struct shared *shared = snapshot->shared;

	snapshot->routes = name_counts_copy(shared->name_counts, &snapshot->route_count);
	snapshot->routes_open = calloc(snapshot->route_count + 1, sizeof(uint64_t));
	if (!snapshot->routes_open)
		snapshot->route_count = 0;
	for (size_t i = 0; i < snapshot->route_count; i++)
		snapshot->routes_open[i] =
		    name_flows_count(shared->name_flows, snapshot->routes[i].name);
}

/* What keeps it from taking clients, so that they are better sent elsewhere. */
static const char *
obstacle_of(const struct relay *relay)
{
	if (relay->state == RELAY_TAKING_OVER ||
	    relay->reports[WORKER_LISTENS] < relay->shared.worker_count)
		return "it is starting";
	if (relay->state != RELAY_SERVING && relay->state != RELAY_HANDING_OVER)
		return "it is draining";
	return NULL;
}

static void
take_facts(struct relay_snapshot *snapshot, const struct relay *relay)
{
	snapshot->rules = rules_hold(relay->reload.rules);
	snapshot->taken_s = clock_wall_s();
	snapshot->since_s = relay->since_s;
	snapshot->workers = relay->shared.worker_count;
	snapshot->obstacle = obstacle_of(relay);
	snapshot->flows_open = shares_count(relay->shared.flows);
	snapshot->denied = relay->shared.denied;
	snapshot->log = log_lost();
	snapshot->reload = (struct metrics_reload){ .is_good = relay->reload.faults.count == 0,
		.faults = relay->reload.faults.count,
		.at_s = relay->reload.in_force_s };
	snapshot->ending_count = relay_metrics_endings(&relay->reload, snapshot->endings);
	relay_metrics_sum(&relay->shared, &snapshot->sums);
	take_agents(snapshot);
	take_limits(snapshot);
	take_routes(snapshot);
}

/* ---- what the workers answer ---- */

static void
on_turned(void *arg)
{
	struct taking *taking = arg;

	if (--taking->missing > 0)
		return;
	web_give(taking->relay->web, taking->snapshot);
	free(taking);
}

void
relay_snapshot_take(void *arg)
{
	struct relay *relay = arg;
	unsigned workers = relay->shared.worker_count;
	struct taking *taking = calloc(1, sizeof *taking + workers * sizeof taking->questions[0]);
	struct relay_snapshot *snapshot = taking ? calloc(1, sizeof *snapshot) : NULL;

	if (!snapshot) {
		free(taking);
		web_give(relay->web, NULL);
		return;
	}
	snapshot->shared = &relay->shared;
	taking->relay = relay;
	taking->snapshot = snapshot;
	taking->missing = workers;
	take_facts(snapshot, relay);
	for (unsigned i = 0; i < workers; i++)
		worker_knock(relay->shared.workers[i], &taking->questions[i], on_turned, taking);
}
