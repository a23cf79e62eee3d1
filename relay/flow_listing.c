/* Makes rows of flows, and ends those that are kicked. */
#include "relay/flow_listing.h"

#include <string.h>

#include "base/admin.h"
#include "base/clock.h"
#include "base/listing.h"
#include "base/units.h"
#include "relay/flow_private.h"
#include "relay/listing_filter.h"
#include "relay/session_ref.h"
#include "tunnel/pump.h"

static void *
next_flow(void *flow)
{
	return LIST_NEXT((struct flow *)flow, link);
}

static bool
has_name(const struct flow *flow, const char *name)
{
	const char *route = flow_route(flow);

	return strcmp(flow_server_name(flow), name) == 0 || (route && strcmp(route, name) == 0);
}

static bool
fits(const struct listing_filter *filter, const struct flow *flow)
{
	const struct address client = flow_client(flow);

	return (!filter->has_flow || memcmp(filter->flow, flow->id, sizeof flow->id) == 0) &&
	    (!filter->has_client || prefix_holds(&filter->client, &client)) &&
	    (!filter->name[0] || has_name(flow, filter->name)) &&
	    listing_filter_fits_agent(filter, flow->session_ref);
}

static const char *
or_null(const char *text)
{
	return text && *text ? text : NULL;
}

/* Null where it is over no agent. */
static json_t *
describe_agent(const struct flow *flow)
{
	const struct identity *identity = flow_identity(flow);
	char session[CHANNEL_IDENTITY];

	if (!identity)
		return json_pack("{s:n, s:n, s:n}", "agent", "issuer_key", "session");
	channel_identity(session_ref_session_id(flow->session_ref), session);
	return json_pack("{s:s, s:s, s:s}", "agent", identity_name(identity), "issuer_key",
	    identity_issuer_key(identity), "session", session);
}

static json_t *
describe(const struct flow *flow)
{
	const struct address from = flow_client(flow);
	char id[2 * FLOW_ID_BYTES + 1], client[ADDRESS_TEXT], filled[UPSTREAM_URL_TARGET];
	json_t *row = json_pack(
	    "{s:s, s:s, s:s, s:s?, s:o?, s:s?, s:s, s:I, s:I, s:I, s:o, s:i, s:I}", "flow",
	    hex_encode(id, flow->id, sizeof flow->id), "client", address_text(&from, client),
	    "server_name", flow_server_name(flow), "route", or_null(flow_route(flow)), "upstream",
	    admin_text(flow_upstream(flow, filled)), "carrier", flow_carrier(flow), "state",
	    flow_state_name[flow->state], "bytes_in", (json_int_t)flow_bytes_in(flow), "bytes_out",
	    (json_int_t)(flow->pump ? pump_bytes_from_b(flow->pump) : 0), "age_ms",
	    (json_int_t)((clock_us() - flow->accepted_us) / 1000), "ready_ms",
	    flow->ready_ms < 0 ? json_null() : json_integer(flow->ready_ms), "attempts",
	    (int)flow->attempts, "stalled_ms",
	    (json_int_t)(flow->pump ? pump_stalled_ms(flow->pump) : 0));

	json_object_update_new(row, describe_agent(flow));
	return row;
}

bool
flow_list(void *context, struct listing_step *step)
{
	struct worker_context *worker = context;
	struct flow *flow;

	if (!listing_enter(step, &worker->walks, LIST_FIRST(&worker->flows)))
		return true;
	while ((flow = listing_next(step, next_flow)))
		if (fits(step->what, flow))
			json_array_append_new(step->rows, describe(flow));
	return listing_leave(step);
}

bool
flow_list_kick(void *context, struct listing_step *step)
{
	struct worker_context *worker = context;
	struct flow *flow;

	if (!listing_enter(step, &worker->walks, LIST_FIRST(&worker->flows)))
		return true;
	while ((flow = listing_next(step, next_flow)))
		if (fits(step->what, flow) && flow_kick(flow))
			step->count[0]++;
	return listing_leave(step);
}
