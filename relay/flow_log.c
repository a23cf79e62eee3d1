/* A flow's lines in the log. */
#include "relay/flow_private.h"

#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/numbers.h"
#include "base/upstream_group.h"
#include "relay/agent_fields.h"
#include "relay/flow_dynamic.h"
#include "relay/name_flows.h"
#include "relay/refuse.h"
#include "relay/session_ref.h"
#include "tunnel/pump.h"

const char flow_displaced[] = "displaced";
const char flow_displaced_sentence[] =
    "limits.flows was reached, this client's block had the most flows, and this was its newest";

const struct identity *
flow_identity(const struct flow *flow)
{
	return flow->session_ref ? session_ref_identity(flow->session_ref) : NULL;
}

/* An empty text leaves its field out. */
static const char *
or_none(const char *text)
{
	return text && text[0] != '\0' ? text : NULL;
}

const char *
flow_ja4(const struct flow *flow)
{
	return flow->names + strlen(flow->names) + 1;
}

const char *
flow_route(const struct flow *flow)
{
	if (flow->way)
		return flow->way->route;
	return flow->static_route ? route_static_config(flow->static_route)->pattern
				  : name_flows_name(flow->name_place);
}

const char *
flow_upstream(const struct flow *flow, char filled[UPSTREAM_URL_TARGET])
{
	const struct route_static_settings *route =
	    flow->static_route ? route_static_config(flow->static_route) : NULL;

	if (route && route->fence && flow_dynamic_target(flow, filled))
		return filled;
	if (route && route->group && flow->upstream > 0)
		return upstream_group_target(route->group, flow->upstream - 1u);
	return route ? route->target : NULL;
}

/* Of a flow over an agent. */
const char *
flow_carrier(const struct flow *flow)
{
	if (!flow->session_ref)
		return NULL;
	return carrier_word(flow->is_handoff ? CARRIER_HANDOFF : CARRIER_SEALED);
}

/* The bytes that the client itself has sent: without our PROXY header, of which the upstream may have
 * taken a part only, with the hello that went ahead in `open`. */
uint64_t
flow_bytes_in(const struct flow *flow)
{
	uint64_t pumped;

	if (!flow->pump)
		return flow->way ? flow->way->conn.bytes : 0;
	pumped = pump_bytes_from_a(flow->pump);
	return difference(pumped, flow->proxy_bytes) +
	    (!flow->static_route ? flow->hello_bytes : 0);
}

uint64_t
flow_bytes_out(const struct flow *flow)
{
	return flow->pump ? pump_bytes_from_b(flow->pump) : 0;
}

void
flow_log_closed(const struct flow *flow, const char *reason)
{
	const struct address from = flow_client(flow);
	char client[ADDRESS_TEXT], upstream[UPSTREAM_URL_TARGET];
	uint64_t now = clock_us(), begun = flow->accepted_us;
	const struct log_field fields[] = {
		log_hex("flow", flow->id, sizeof flow->id),
		log_str("client", address_text(&from, client)),
		log_str("server_name", flow_server_name(flow)),
		log_str("route", or_none(flow_route(flow))),
		log_agent(flow_identity(flow)),
		log_str("upstream", flow_upstream(flow, upstream)),
		log_str("carrier", flow_carrier(flow)),
		log_u64("bytes_in", flow_bytes_in(flow)),
		log_u64("bytes_out", flow_bytes_out(flow)),
		log_u64("duration_ms", (now - begun) / 1000),
		log_i64("ready_ms", flow->ready_ms),
		log_u64("attempts", flow->attempts),
		log_str("reason", reason),
		log_str("silent",
		    pump_silent_side(
			flow->pump, "client", flow->static_route ? "upstream" : "agent")),
		log_str("ja4", or_none(flow_ja4(flow))),
		{ 0 },
	};

	/* What was never joined has cost its client no more than what is refused. */
	if (reason == flow_displaced || flow->ready_ms < 0)
		log_write_limited(LOG_INFO, "flow-closed", &from,
		    reason == flow_displaced ? flow_displaced_sentence : NULL, fields);
	else
		log_write(LOG_INFO, "flow-closed", pump_fault(flow->pump), fields);
}

static const char *
cure_of(const struct flow *flow, enum refusal reason)
{
	switch (reason) {
	case REFUSE_UNKNOWN_NAME:
		if (flow->way->trouble[0] != '\0')
			return "a route has this name, but not for this client: see the error";
		return "no route has this name: start its agent, or add it to routes";
	case REFUSE_NO_AGENT:
		return "no agent or upstream could serve it in time: look at the agent's log, or at the upstream";
	case REFUSE_OVER_LIMIT:
		return "a limit is reached: raise it, or find out who uses it up";
	case REFUSE_DENIED:
		return "its address is not let in: if it should be, change allow or deny where the error says";
	case REFUSE_NO_NAME:
	case REFUSE_MALFORMED:
	case REFUSE_FOREIGN_ALPN:
	case REFUSE_NOT_TLS:
	case REFUSE_TIMEOUT:
	case REFUSALS:
		break; /* the intake has these, before there is a flow */
	}
	return NULL;
}

void
flow_log_refused(const struct flow *flow, enum refusal reason, uint8_t alert)
{
	const struct address from = flow_client(flow);
	char client[ADDRESS_TEXT], upstream[UPSTREAM_URL_TARGET];

	log_limited(LOG_INFO, "flow-refused", &from, cure_of(flow, reason),
	    log_str("code", refuse_word(reason)), log_hex("flow", flow->id, sizeof flow->id),
	    log_str("client", address_text(&from, client)),
	    log_str("server_name", flow_server_name(flow)),
	    log_str("route", or_none(flow_route(flow))), log_agent(flow_identity(flow)),
	    log_str("upstream", flow_upstream(flow, upstream)),
	    log_str("error", or_none(flow->way->trouble)), log_str("reason", flow->reason),
	    log_u64("attempts", flow->attempts),
	    log_u64("duration_ms", (clock_us() - flow->accepted_us) / 1000),
	    log_u64("alert", alert), log_str("ja4", or_none(flow_ja4(flow))));
}

void
flow_log_retry(const struct flow *flow, const char *why)
{
	const struct address from = flow_client(flow);
	char filled[UPSTREAM_URL_TARGET];

	log_limited(LOG_INFO, "flow-attempt-failed", &from, why,
	    log_hex("flow", flow->id, sizeof flow->id), log_agent(flow_identity(flow)),
	    log_str("upstream", flow_upstream(flow, filled)),
	    log_str("state", flow_state_name[flow->state]), log_u64("attempt", flow->attempts));
}
