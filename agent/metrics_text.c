/* A snapshot of an agent as text. */
#include "agent/metrics_snapshot.h"

#include "agent/endpoint_table.h"
#include "base/name_counts.h"
#include "base/upstream_group.h"

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

/* ---- flows ---- */

static void
put_flows(struct metrics_text *text, const struct agent_snapshot *snapshot)
{
	const struct agent_metrics_sums *sums = &snapshot->sums;

	put_one(text, "valise_agent_flows", METRICS_COUNTER, sums->flows,
	    "Flows that relays have opened.");
	put_one(text, "valise_agent_flows_open", METRICS_GAUGE, snapshot->flows_open,
	    "Flows at the moment, without those of forwards.");
	put_one(text, "valise_agent_forward_flows_open", METRICS_GAUGE,
	    snapshot->forward_flows_open, "Connections through forwards at the moment.");
	put_one(text, "valise_agent_flows_joined", METRICS_COUNTER, sums->joined,
	    "Flows whose two sides were joined.");
	metrics_family(text, "valise_agent_flows_ended", METRICS_COUNTER, NULL,
	    "Flows that are over, by the reason that the log has.");
	metrics_words(text, "reason", &sums->flow_ends);
	metrics_family(text, "valise_agent_bytes", METRICS_COUNTER, "bytes",
	    "Bytes of joined flows, in from clients and out to them, as they pass.");
	metrics_number(text, sums->bytes[0], METRICS_LABELS({ "direction", "in" }));
	metrics_number(text, sums->bytes[1], METRICS_LABELS({ "direction", "out" }));
	put_histogram(text, "valise_agent_flow_ready_seconds", HISTOGRAM_SHORT, &sums->ready,
	    "From the relay's open to the moment in which a flow's sides are joined.");
	put_histogram(text, "valise_agent_flow_handshake_seconds", HISTOGRAM_SHORT,
	    &sums->handshake, "From the relay's open to the end of the client's handshake.");
	put_histogram(text, "valise_agent_flow_duration_seconds", HISTOGRAM_LONG, &sums->duration,
	    "From the relay's open to the end of a flow.");
}

/* ---- relays ---- */

static void
put_relay(struct metrics_text *text, const struct agent_snapshot *snapshot, const char *name,
    const char *unit, const char *help,
    void (*put)(
	struct metrics_text *, const struct agent_relay_facts *, const struct metrics_label *))
{
	metrics_family(text, name, METRICS_GAUGE, unit, help);
	for (size_t i = 0; i < snapshot->relay_count; i++)
		put(text, &snapshot->relays[i],
		    METRICS_LABELS({ "relay", snapshot->relays[i].target }));
}

static void
put_up(struct metrics_text *text, const struct agent_relay_facts *relay,
    const struct metrics_label *labels)
{
	metrics_number(text, relay->is_up, labels);
}

static void
put_rtt(struct metrics_text *text, const struct agent_relay_facts *relay,
    const struct metrics_label *labels)
{
	if (relay->rtt_us > 0)
		metrics_seconds(text, relay->rtt_us, labels);
}

static void
put_endpoints(struct metrics_text *text, const struct agent_relay_facts *relay,
    const struct metrics_label *labels)
{
	metrics_number(text, relay->endpoints, labels);
}

static void
put_channels(struct metrics_text *text, const struct agent_relay_facts *relay,
    const struct metrics_label *labels)
{
	metrics_number(text, relay->channels, labels);
}

static void
put_relays(struct metrics_text *text, const struct agent_snapshot *snapshot)
{
	put_relay(text, snapshot, "valise_agent_relay_up", NULL,
	    "Whether the agent has a session with the relay.", put_up);
	put_relay(text, snapshot, "valise_agent_relay_rtt_seconds", "seconds",
	    "Round trip of the last heartbeat.", put_rtt);
	put_relay(text, snapshot, "valise_agent_relay_endpoints", NULL,
	    "Endpoints that the relay routes here.", put_endpoints);
	put_relay(text, snapshot, "valise_agent_relay_channels_parked", NULL,
	    "Channels that wait at the relay for a flow.", put_channels);
}

static size_t
up_count(const struct agent_snapshot *snapshot)
{
	size_t count = 0;

	for (size_t i = 0; i < snapshot->relay_count; i++)
		count += snapshot->relays[i].is_up;
	return count;
}

static void
put_sessions(struct metrics_text *text, const struct agent_snapshot *snapshot)
{
	put_one(text, "valise_agent_relays", METRICS_GAUGE, snapshot->relay_count,
	    "Relays of the configuration.");
	put_one(text, "valise_agent_relays_up", METRICS_GAUGE, up_count(snapshot),
	    "Relays with which the agent has a session.");
	put_one(text, "valise_agent_sessions", METRICS_COUNTER, snapshot->sessions,
	    "Sessions that came up.");
	metrics_family(text, "valise_agent_sessions_ended", METRICS_COUNTER, NULL,
	    "Sessions that are over or never came up, by the code that the log has.");
	metrics_words(text, "code", &snapshot->session_ends);
	put_one(text, "valise_agent_channels_failed", METRICS_COUNTER, snapshot->channels_failed,
	    "Channels whose dial did not come through.");
	put_one(text, "valise_agent_channels_lost", METRICS_COUNTER, snapshot->channels_lost,
	    "Parked channels that were closed by the relay.");
	put_histogram(text, "valise_agent_session_handshake_seconds", HISTOGRAM_SHORT,
	    &snapshot->session_handshake, "From the dial of a relay to its welcome.");
	put_histogram(text, "valise_agent_heartbeat_seconds", HISTOGRAM_SHORT, &snapshot->rtt,
	    "Round trips of heartbeats.");
}

static void
put_limits(struct metrics_text *text, const struct agent_snapshot *snapshot)
{
	static const char *const names[AGENT_LOADS] = { "flows", "handshakes", "hellos" };
	struct metrics_limit limits[AGENT_LOADS];

	for (int i = 0; i < AGENT_LOADS; i++)
		limits[i] = (struct metrics_limit){ names[i], snapshot->loads[i] };
	metrics_limits(text, limits, AGENT_LOADS);
}

/* ---- names ---- */

static void
put_names(struct metrics_text *text, const struct agent_snapshot *snapshot)
{
	const struct name_count *names = snapshot->names;

	metrics_family(text, "valise_agent_endpoint_flows", METRICS_COUNTER, NULL,
	    "Flows of an endpoint that are over, with those that failed.");
	for (size_t i = 0; i < snapshot->name_count; i++)
		metrics_number(text, names[i].flows, METRICS_LABELS({ "endpoint", names[i].name }));
	metrics_family(text, "valise_agent_endpoint_failed", METRICS_COUNTER, NULL,
	    "Flows of an endpoint that were never joined.");
	for (size_t i = 0; i < snapshot->name_count; i++)
		metrics_number(
		    text, names[i].refused, METRICS_LABELS({ "endpoint", names[i].name }));
	metrics_family(text, "valise_agent_endpoint_bytes", METRICS_COUNTER, "bytes",
	    "Bytes of the flows of an endpoint that are over, in from clients and out to them.");
	for (size_t i = 0; i < snapshot->name_count; i++) {
		metrics_number(text, names[i].bytes_in,
		    METRICS_LABELS({ "endpoint", names[i].name }, { "direction", "in" }));
		metrics_number(text, names[i].bytes_out,
		    METRICS_LABELS({ "endpoint", names[i].name }, { "direction", "out" }));
	}
}

static void
each_upstream(struct metrics_text *text, const struct endpoint_table *table,
    void (*put)(struct metrics_text *, const struct endpoint *, unsigned index))
{
	unsigned left = AGENT_NAMES_MOST;

	for (size_t i = 0; i < table->count && left > 0; i++) {
		const struct endpoint *endpoint = table->endpoints[i];
		size_t count = upstream_group_count(endpoint->upstream.group);

		for (unsigned k = 0; k < count && left > 0; k++, left--)
			put(text, endpoint, k);
	}
}

static void
put_upstream_up(struct metrics_text *text, const struct endpoint *endpoint, unsigned index)
{
	const struct upstream_group *group = endpoint->upstream.group;

	metrics_number(text, upstream_group_state(group, index) != UPSTREAM_DOWN,
	    METRICS_LABELS({ "endpoint", endpoint->name },
		{ "upstream", upstream_group_target(group, index) }));
}

static void
put_upstream_flows(struct metrics_text *text, const struct endpoint *endpoint, unsigned index)
{
	const struct upstream_group *group = endpoint->upstream.group;

	metrics_number(text, upstream_group_flows(group, index),
	    METRICS_LABELS({ "endpoint", endpoint->name },
		{ "upstream", upstream_group_target(group, index) }));
}

static void
put_upstreams(struct metrics_text *text, const struct endpoint_table *table)
{
	metrics_family(text, "valise_agent_upstream_up", METRICS_GAUGE, NULL,
	    "Whether an upstream answers its checks; 1 where it has none.");
	each_upstream(text, table, put_upstream_up);
	metrics_family(text, "valise_agent_upstream_flows_open", METRICS_GAUGE, NULL,
	    "Flows to an upstream at the moment.");
	each_upstream(text, table, put_upstream_flows);
}

/* Each name has the result that holds now. */
static void
put_probes(struct metrics_text *text, const struct agent_snapshot *snapshot)
{
	const struct agent_probe_facts *probes = snapshot->probes;

	metrics_family(text, "valise_agent_probe", METRICS_GAUGE, NULL,
	    "What the last look at a public name has found.");
	for (size_t i = 0; i < snapshot->probe_count; i++)
		metrics_number(text, 1,
		    METRICS_LABELS(
			{ "server_name", probes[i].server_name }, { "result", probes[i].result }));
	metrics_family(text, "valise_agent_probe_time_seconds", METRICS_GAUGE, "seconds",
	    "When that was found, in seconds since 1970.");
	for (size_t i = 0; i < snapshot->probe_count; i++)
		if (probes[i].at_s > 0)
			metrics_signed(text, probes[i].at_s,
			    METRICS_LABELS({ "server_name", probes[i].server_name }));
}

/* ---- all of it ---- */

char *
agent_snapshot_text(const struct agent_snapshot *snapshot, enum metrics_format format,
    bool in_detail, size_t *bytes)
{
	struct metrics_text text;

	metrics_text_begin(&text, format);
	metrics_process(&text, "valise-agent", snapshot->since_s);
	put_one(&text, "valise_agent_ready", METRICS_GAUGE, snapshot->obstacle[0] == '\0',
	    "Whether a relay serves every endpoint.");
	put_one(&text, "valise_agent_workers", METRICS_GAUGE, snapshot->workers, "Worker threads.");
	put_one(&text, "valise_agent_endpoints", METRICS_GAUGE, snapshot->table->count,
	    "Endpoints of the configuration.");
	put_flows(&text, snapshot);
	put_sessions(&text, snapshot);
	put_limits(&text, snapshot);
	metrics_endings(
	    &text, snapshot->endings, snapshot->ending_count, snapshot->taken_s, in_detail);
	metrics_reload(&text, &snapshot->reload);
	metrics_log(&text, &snapshot->log);
	if (in_detail) {
		put_relays(&text, snapshot);
		put_names(&text, snapshot);
		put_upstreams(&text, snapshot->table);
		put_probes(&text, snapshot);
	}
	return metrics_text_end(&text, bytes);
}
