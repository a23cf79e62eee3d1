/* Rows of endpoints, in two passes over the table. */
#include "agent/page_endpoints.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "agent/acme.h"
#include "agent/endpoint_table.h"
#include "agent/probes.h"
#include "agent/reload.h"
#include "base/page.h"
#include "base/upstream_group.h"
#include "base/upstream_status.h"

enum { SENTENCE = 512 };

static bool
has_down(const struct endpoint *endpoint)
{
	const struct upstream_group *group = endpoint->upstream.group;

	for (unsigned i = 0; i < upstream_group_count(group); i++)
		if (upstream_group_state(group, i) == UPSTREAM_DOWN)
			return true;
	return false;
}

static bool
has_trouble(const struct agent_live *live, const struct endpoint *endpoint)
{
	return has_down(endpoint) || probes_found_other(live->probes, endpoint->server_name);
}

static uint64_t
flows_of(const struct endpoint *endpoint)
{
	const struct upstream_group *group = endpoint->upstream.group;
	uint64_t flows = 0;

	for (unsigned i = 0; i < upstream_group_count(group); i++)
		flows += upstream_group_flows(group, i);
	return flows;
}

static json_t *
describe(const struct agent_live *live, const struct endpoint *endpoint)
{
	return json_pack("{s:s, s:s, s:s, s:I, s:o?, s:o?, s:s?}", "name", endpoint->name,
	    "server_name", endpoint->server_name, "mode",
	    endpoint->terminates ? "terminate" : "passthrough", "flows",
	    (json_int_t)flows_of(endpoint), "upstreams", upstream_status(endpoint->upstream.group),
	    "probe", probes_describe(live->probes, endpoint->server_name), "caa",
	    agent_acme_pin(live->acme, endpoint->server_name));
}

static void
add_rows(json_t *rows, const struct agent_live *live, bool is_trouble_wanted)
{
	const struct endpoint_table *table = live->context.endpoint_table;

	for (size_t i = 0; i < table->count && json_array_size(rows) < PAGE_ROWS_MOST; i++)
		if (has_trouble(live, table->endpoints[i]) == is_trouble_wanted)
			json_array_append_new(rows, describe(live, table->endpoints[i]));
}

json_t *
page_endpoints_describe(const struct agent_live *live)
{
	json_t *rows = json_array();

	add_rows(rows, live, true);
	add_rows(rows, live, false);
	return json_pack(
	    "{s:I, s:o?}", "total", (json_int_t)live->context.endpoint_table->count, "rows", rows);
}

void
page_endpoints_attend(json_t *attention, const struct agent_live *live)
{
	const struct endpoint_table *table = live->context.endpoint_table;
	char sentence[SENTENCE];

	for (size_t i = 0; i < table->count; i++) {
		const struct endpoint *endpoint = table->endpoints[i];

		if (probes_found_other(live->probes, endpoint->server_name)) {
			snprintf(sentence, sizeof sentence,
			    "another key than ours answers for %s: somebody else has a certificate for it",
			    endpoint->server_name);
			page_attend(attention, "error", sentence);
		}
		page_attend_upstreams(attention, endpoint->name, endpoint->upstream.group);
	}
}
