/* Each list: where its rows come from. */
#include "agent/listing.h"

#include <stdlib.h>

#include "agent/flow_listing.h"
#include "agent/reload.h"
#include "agent/status.h"
#include "base/admin_listing.h"
#include "base/daemon_rows.h"

void
agent_listing_flows(
    struct admin_question *question, struct listings *all, const struct agent_live *live)
{
	struct listing_source sources[DAEMON_WORKERS_MOST + 1];
	unsigned count =
	    agent_workers_sources(live->context.workers, agent_flow_list_step, sources);

	count += forwards_source(live->forwards, &sources[count]);
	admin_listing_answer(question,
	    &(struct admin_listing_options){ .all = all,
		.loop = live->context.loop,
		.sources = sources,
		.source_count = count,
		.name = "flows",
		.free_what = free });
}

/* ---- endpoints ---- */

struct endpoints_asked {
	const struct agent_live *live;
	struct endpoint_table *table; /* held: that of the beginning */
};

/* What each relay says to it. */
static json_t *
describe_relays(const struct relay_links *links, uint32_t endpoint)
{
	json_t *relays = json_array();

	for (size_t i = 0; i < links->count; i++) {
		enum code code;
		const char *state = relay_link_endpoint_state(links->links[i], endpoint, &code);

		json_array_append_new(relays,
		    json_pack("{s:s, s:s, s:s?}", "relay", relay_link_target(links->links[i]),
			"state", state ? state : "withdrawn", "code",
			code != CODE_NONE ? code_word(code) : NULL));
	}
	return relays;
}

static json_t *
describe(const struct agent_live *live, const struct endpoint *endpoint)
{
	json_t *row = agent_status_endpoint(endpoint, live->probes, live->acme);

	if (row)
		json_object_set_new(row, "relays", describe_relays(&live->links, endpoint->number));
	return row;
}

static bool
list_endpoints(void *arg, struct listing_step *step)
{
	const struct endpoints_asked *asked = arg;
	const struct endpoint_table *table = asked->table;

	if (step->is_given_up)
		return true;
	step->has_begun = true;
	for (; step->at < table->count && !listing_is_enough(step); step->at++)
		json_array_append_new(
		    step->rows, describe(asked->live, table->endpoints[step->at]));
	return step->at == table->count;
}

static void
free_endpoints_asked(void *arg)
{
	struct endpoints_asked *asked = arg;

	endpoint_table_release(asked->table);
	free(asked);
}

void
agent_listing_endpoints(
    struct admin_question *question, struct listings *all, const struct agent_live *live)
{
	struct endpoints_asked *asked = malloc(sizeof *asked);

	if (!asked) {
		admin_answer(question, NULL);
		return;
	}
	*asked =
	    (struct endpoints_asked){ live, endpoint_table_hold(live->context.endpoint_table) };
	admin_listing_answer(question,
	    &(struct admin_listing_options){ .all = all,
		.loop = live->context.loop,
		.sources = &(struct listing_source){ live->context.loop, list_endpoints, asked },
		.source_count = 1,
		.name = "endpoints",
		.what = asked,
		.free_what = free_endpoints_asked });
}
