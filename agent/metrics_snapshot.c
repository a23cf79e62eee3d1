/* Takes a snapshot of an agent. */
#include "agent/metrics_snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include "agent/metrics_endings.h"
#include "agent/reload.h"
#include "base/clock.h"
#include "base/name_counts.h"
#include "base/numbers.h"
#include "base/web.h"

static void
take_relays(struct agent_snapshot *snapshot, const struct relay_links *links)
{
	struct relay_link_description link;

	snapshot->relays = calloc(links->count + 1, sizeof *snapshot->relays);
	for (size_t i = 0; i < links->count && snapshot->relays; i++) {
		struct agent_relay_facts *relay = &snapshot->relays[snapshot->relay_count++];

		relay_link_describe(links->links[i], &link);
		*relay = (struct agent_relay_facts){ .is_up = link.relay != NULL,
			.since_s = link.since_s,
			.endpoints = link.endpoints,
			.rtt_us = link.rtt_us,
			.channels = link.channels };
		snprintf(relay->target, sizeof relay->target, "%s", link.target);
	}
}

static void
take_probes(struct agent_snapshot *snapshot, const struct probes *probes)
{
	const struct endpoint_table *table = snapshot->table;
	size_t most = smaller_of(table->count, AGENT_NAMES_MOST);

	snapshot->probes = probes ? calloc(most + 1, sizeof *snapshot->probes) : NULL;
	for (size_t i = 0; i < most && snapshot->probes; i++) {
		const char *name = table->endpoints[i]->server_name;
		struct agent_probe_facts *probe = &snapshot->probes[snapshot->probe_count];

		probe->server_name = name;
		probe->result = probes_result(probes, name, &probe->at_s);
		snapshot->probe_count += probe->result != NULL;
	}
}

static void
take_sessions(struct agent_snapshot *snapshot, const struct agent_session_metrics *metrics)
{
	snapshot->sessions = counter_read(&metrics->sessions);
	snapshot->channels_failed = counter_read(&metrics->channels_failed);
	snapshot->channels_lost = counter_read(&metrics->channels_lost);
	word_counts_sum(&snapshot->session_ends, &metrics->session_ends);
	histogram_sum(&snapshot->session_handshake, &metrics->handshake);
	histogram_sum(&snapshot->rtt, &metrics->rtt);
}

static void
say_obstacle(struct agent_snapshot *snapshot, const struct agent_snapshot_sources *from)
{
	const struct relay_links *links = &from->live->links;

	if (from->obstacle)
		snprintf(snapshot->obstacle, sizeof snapshot->obstacle, "%s", from->obstacle);
	else if (links->count > 0 && relay_links_up_count(links) == 0)
		snprintf(snapshot->obstacle, sizeof snapshot->obstacle,
		    "none of %zu relays is connected", links->count);
	else if (links->count > 0 && !relay_links_serve_all(links))
		snprintf(snapshot->obstacle, sizeof snapshot->obstacle,
		    "%zu of %zu relays are connected, and none of them serves every endpoint",
		    relay_links_up_count(links), links->count);
}

struct agent_snapshot *
agent_snapshot_new(const struct agent_snapshot_sources *from)
{
	const struct agent_live *live = from->live;
	const struct agent_context *context = &live->context;
	struct agent_snapshot *snapshot = calloc(1, sizeof *snapshot);

	if (!snapshot)
		return NULL;
	snapshot->taken_s = clock_wall_s();
	snapshot->since_s = from->since_s;
	snapshot->workers = agent_settings_workers(&live->settings);
	snprintf(snapshot->region, sizeof snapshot->region, "%s",
	    live->settings.region ? live->settings.region : "");
	snapshot->flows_open = agent_workers_flow_count(context->workers);
	snapshot->forward_flows_open = forwards_flow_count(live->forwards);
	snapshot->log = log_lost();
	snapshot->reload = (struct metrics_reload){ .is_good = live->faults.count == 0,
		.faults = live->faults.count,
		.at_s = live->in_force_s };
	snapshot->table = endpoint_table_hold(context->endpoint_table);
	snapshot->endings = agent_metrics_endings(context, &snapshot->ending_count);
	snapshot->names =
	    name_counts_copy(agent_workers_names(context->workers), &snapshot->name_count);
	agent_workers_sum(context->workers, &snapshot->sums, snapshot->loads);
	say_obstacle(snapshot, from);
	take_sessions(snapshot, from->sessions);
	take_relays(snapshot, &live->links);
	take_probes(snapshot, live->probes);
	return snapshot;
}

void
agent_snapshot_free(void *arg)
{
	struct agent_snapshot *snapshot = arg;

	for (int i = 0; i < METRICS_FORMATS; i++)
		for (int k = 0; k < 2; k++)
			web_text_release(snapshot->text[i][k]);
	endpoint_table_release(snapshot->table);
	free(snapshot->endings);
	free(snapshot->relays);
	free(snapshot->probes);
	free(snapshot->names);
	free(snapshot);
}
