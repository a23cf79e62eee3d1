/* A snapshot of a relay as text. */
#include "relay/metrics_snapshot.h"

#include "base/name_counts.h"
#include "base/upstream_group.h"
#include "relay/route.h"
#include "relay/rules.h"

static void
put_one(struct metrics_text *text, const char *name, enum metrics_type type, uint64_t number,
    const char *help)
{
	metrics_family(text, name, type, NULL, help);
	metrics_number(text, number, NULL);
}

static void
put_histogram(struct metrics_text *text, const char *name, enum histogram_kind kind,
    const struct histogram_sum *sum, const char *help)
{
	metrics_family(text, name, METRICS_HISTOGRAM, "seconds", help);
	metrics_histogram(text, kind, sum, NULL);
}

/* ---- clients ---- */

static void
put_refusals(struct metrics_text *text, const struct relay_metrics_sums *sums)
{
	metrics_family(text, "valise_relay_refused", METRICS_COUNTER, NULL,
	    "Clients that were refused, by the code that the log has.");
	for (enum refusal i = 0; i < REFUSALS; i++)
		metrics_number(text, sums->refused[i], METRICS_LABELS({ "code", refuse_word(i) }));
}

static void
put_flows(struct metrics_text *text, const struct relay_snapshot *snapshot)
{
	const struct relay_metrics_sums *sums = &snapshot->sums;

	put_one(text, "valise_relay_connections", METRICS_COUNTER, sums->accepted,
	    "Connections that were accepted, of clients and agents.");
	put_one(text, "valise_relay_flows", METRICS_COUNTER, sums->flows,
	    "Flows that have begun: a whole hello for a name.");
	put_one(text, "valise_relay_flows_open", METRICS_GAUGE, snapshot->flows_open,
	    "Flows at the moment.");
	metrics_family(text, "valise_relay_flows_joined", METRICS_COUNTER, NULL,
	    "Flows whose two sides were joined, by the way to the far side.");
	for (int i = 0; i < RELAY_WAYS; i++)
		metrics_number(
		    text, sums->joined[i], METRICS_LABELS({ "way", relay_way_words[i] }));
	metrics_family(text, "valise_relay_flows_ended", METRICS_COUNTER, NULL,
	    "Flows that are over, by the reason that the log has.");
	metrics_words(text, "reason", &sums->flow_ends);
	put_one(text, "valise_relay_flow_attempts_failed", METRICS_COUNTER, sums->attempts_failed,
	    "Agents and upstreams that could not serve a flow which was tried again elsewhere.");
	metrics_family(text, "valise_relay_bytes", METRICS_COUNTER, "bytes",
	    "Bytes of joined flows, in from clients and out to them, as they pass.");
	metrics_number(text, sums->bytes[0], METRICS_LABELS({ "direction", "in" }));
	metrics_number(text, sums->bytes[1], METRICS_LABELS({ "direction", "out" }));
	put_histogram(text, "valise_relay_hello_seconds", HISTOGRAM_SHORT, &sums->hello,
	    "From the accept to the end of a client's hello.");
	put_histogram(text, "valise_relay_flow_ready_seconds", HISTOGRAM_SHORT, &sums->ready,
	    "From the accept to the moment in which a flow's sides are joined.");
	put_histogram(text, "valise_relay_flow_duration_seconds", HISTOGRAM_LONG, &sums->duration,
	    "From the accept to the end of a flow that was not refused.");
	put_refusals(text, sums);
}

/* ---- agents ---- */

static void
put_agents(struct metrics_text *text, const struct relay_snapshot *snapshot)
{
	const struct relay_metrics_sums *sums = &snapshot->sums;

	put_one(text, "valise_relay_sessions", METRICS_COUNTER, sums->sessions,
	    "Sessions of agents that were welcomed.");
	put_one(text, "valise_relay_sessions_up", METRICS_GAUGE, snapshot->sessions,
	    "Sessions at the moment.");
	metrics_family(text, "valise_relay_sessions_refused", METRICS_COUNTER, NULL,
	    "Agents that were refused, by the code that the log has.");
	metrics_words(text, "code", &sums->sessions_refused);
	metrics_family(text, "valise_relay_sessions_ended", METRICS_COUNTER, NULL,
	    "Sessions that are over, by the code of their end.");
	metrics_words(text, "code", &sums->session_ends);
	put_one(text, "valise_relay_agents_too_fast", METRICS_COUNTER, sums->agents_too_fast,
	    "Sessions and channels that were turned away before TLS, since too many came.");
	put_one(text, "valise_relay_endpoints", METRICS_GAUGE, snapshot->endpoints,
	    "Endpoints that are announced.");
	put_one(text, "valise_relay_channels_parked", METRICS_GAUGE, snapshot->channels,
	    "Channels that wait for a flow.");
	put_one(text, "valise_relay_flows_waiting", METRICS_GAUGE, sums->taking,
	    "Flows that wait for a channel.");
	put_histogram(text, "valise_relay_channel_wait_seconds", HISTOGRAM_SHORT,
	    &sums->channel_wait, "How long flows waited for a channel of their agent.");
	put_histogram(text, "valise_relay_session_handshake_seconds", HISTOGRAM_SHORT,
	    &sums->handshake, "From the hello of an agent to its welcome.");
	put_histogram(text, "valise_relay_heartbeat_seconds", HISTOGRAM_SHORT, &sums->rtt,
	    "Round trips of heartbeats.");
}

/* ---- names ---- */

static void
put_route_numbers(struct metrics_text *text, const struct relay_snapshot *snapshot)
{
	const struct name_count *routes = snapshot->routes;

	metrics_family(text, "valise_relay_route_flows_open", METRICS_GAUGE, NULL,
	    "Flows of a route at the moment.");
	for (size_t i = 0; i < snapshot->route_count; i++)
		metrics_number(
		    text, snapshot->routes_open[i], METRICS_LABELS({ "route", routes[i].name }));
	metrics_family(text, "valise_relay_route_flows", METRICS_COUNTER, NULL,
	    "Flows of a route that are over, with those that were refused.");
	for (size_t i = 0; i < snapshot->route_count; i++)
		metrics_number(text, routes[i].flows, METRICS_LABELS({ "route", routes[i].name }));
	metrics_family(text, "valise_relay_route_refused", METRICS_COUNTER, NULL,
	    "Flows of a route that were refused.");
	for (size_t i = 0; i < snapshot->route_count; i++)
		metrics_number(
		    text, routes[i].refused, METRICS_LABELS({ "route", routes[i].name }));
}

static void
put_route_bytes(struct metrics_text *text, const struct relay_snapshot *snapshot)
{
	const struct name_count *routes = snapshot->routes;

	metrics_family(text, "valise_relay_route_bytes", METRICS_COUNTER, "bytes",
	    "Bytes of the flows of a route that are over, in from clients and out to them.");
	for (size_t i = 0; i < snapshot->route_count; i++) {
		metrics_number(text, routes[i].bytes_in,
		    METRICS_LABELS({ "route", routes[i].name }, { "direction", "in" }));
		metrics_number(text, routes[i].bytes_out,
		    METRICS_LABELS({ "route", routes[i].name }, { "direction", "out" }));
	}
}

/* Calls `put` for the upstreams of static routes that have several or have them checked, up to the bound. */
static void
each_upstream(struct metrics_text *text, const struct rules *rules,
    void (*put)(struct metrics_text *, struct upstream_group *, unsigned index))
{
	unsigned left = RELAY_UPSTREAMS_MOST;

	for (size_t i = 0; i < rules->static_count && left > 0; i++) {
		struct upstream_group *group = route_static_config(rules->static_route[i])->group;

		for (unsigned k = 0; group && k < upstream_group_count(group) && left > 0;
		     k++, left--)
			put(text, group, k);
	}
}

static void
put_upstream_up(struct metrics_text *text, struct upstream_group *group, unsigned index)
{
	metrics_number(text, upstream_group_state(group, index) != UPSTREAM_DOWN,
	    METRICS_LABELS({ "route", upstream_group_name(group) },
		{ "upstream", upstream_group_target(group, index) }));
}

static void
put_upstream_flows(struct metrics_text *text, struct upstream_group *group, unsigned index)
{
	metrics_number(text, upstream_group_flows(group, index),
	    METRICS_LABELS({ "route", upstream_group_name(group) },
		{ "upstream", upstream_group_target(group, index) }));
}

static void
put_upstreams(struct metrics_text *text, const struct rules *rules)
{
	metrics_family(text, "valise_relay_upstream_up", METRICS_GAUGE, NULL,
	    "Whether an upstream of a static route answers its checks; 1 where it has none.");
	each_upstream(text, rules, put_upstream_up);
	metrics_family(text, "valise_relay_upstream_flows_open", METRICS_GAUGE, NULL,
	    "Flows to an upstream of a static route at the moment.");
	each_upstream(text, rules, put_upstream_flows);
}

/* ---- all of it ---- */

char *
relay_snapshot_text(const struct relay_snapshot *snapshot, enum metrics_format format,
    bool in_detail, size_t *bytes)
{
	struct metrics_text text;

	metrics_text_begin(&text, format);
	metrics_process(&text, "valise-relay", snapshot->since_s);
	put_one(&text, "valise_relay_ready", METRICS_GAUGE, !snapshot->obstacle,
	    "Whether it takes clients.");
	put_one(&text, "valise_relay_workers", METRICS_GAUGE, snapshot->workers, "Worker threads.");
	put_flows(&text, snapshot);
	put_agents(&text, snapshot);
	metrics_limits(&text, snapshot->limits, snapshot->limit_count);
	metrics_endings(
	    &text, snapshot->endings, snapshot->ending_count, snapshot->taken_s, in_detail);
	metrics_reload(&text, &snapshot->reload);
	metrics_log(&text, &snapshot->log);
	if (in_detail) {
		put_route_numbers(&text, snapshot);
		put_route_bytes(&text, snapshot);
		put_upstreams(&text, snapshot->rules);
	}
	return metrics_text_end(&text, bytes);
}
