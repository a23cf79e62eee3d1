/* Makes the rows of a list of flows. */
#include "agent/flow_listing.h"

#include "agent/endpoint.h"
#include "agent/flow_private.h"
#include "agent/session_ref.h"
#include "base/admin.h"
#include "base/clock.h"
#include "base/listing.h"
#include "base/units.h"
#include "pki/identity.h"
#include "tunnel/pump.h"

static void *
next_flow(void *flow)
{
	return agent_flow_next(flow);
}

static json_t *
describe(const struct agent_flow *flow)
{
	const struct address from = address_of_ip(&flow->address);
	const struct endpoint *endpoint = flow->endpoint;
	const struct pump *pump = flow->pump;
	char id[2 * FLOW_ID_BYTES + 1], client[ADDRESS_TEXT];

	return json_pack(
	    "{s:s, s:s, s:o?, s:o?, s:n, s:o?, s:o?, s:s, s:s, s:I, s:I, s:I, s:o, s:I, s:o?}",
	    "flow", hex_encode(id, flow->id, sizeof flow->id), "client",
	    address_text(&from, client), "server_name", admin_text(flow->server_name), "endpoint",
	    admin_text(endpoint ? endpoint->name : NULL), "forward", "relay",
	    admin_text(flow->ref->relay), "upstream", admin_text(agent_flow_upstream(flow)),
	    "carrier", carrier_word(flow->carrier), "state", agent_flow_state_name(flow),
	    "bytes_in", (json_int_t)(pump ? pump_bytes_from_a(pump) : 0), "bytes_out",
	    (json_int_t)(pump ? pump_bytes_from_b(pump) : 0), "age_ms",
	    (json_int_t)(clock_ms() - flow->opened_at_ms), "ready_ms",
	    flow->ready_ms < 0 ? json_null() : json_integer(flow->ready_ms), "stalled_ms",
	    (json_int_t)(pump ? pump_stalled_ms(pump) : 0), "client_certificate",
	    admin_text(flow->identity ? identity_subject(flow->identity) : NULL));
}

bool
agent_flow_list_step(void *arg, struct listing_step *step)
{
	struct agent_flow_place *place = arg;
	struct agent_flow *flow;

	if (!listing_enter(step, &place->walks, LIST_FIRST(&place->flows)))
		return true;
	while ((flow = listing_next(step, next_flow)))
		json_array_append_new(step->rows, describe(flow));
	return listing_leave(step);
}
