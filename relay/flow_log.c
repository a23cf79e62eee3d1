/* What a flow leaves in the log: one line at its end, and one for each attempt that failed. */
#include "relay/flow.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/units.h"
#include "relay/flow_parts.h"
#include "relay/member.h"
#include "tunnel/pump.h"

enum { ID_TEXT = 2 * FLOW_ID_BYTES + 1 };

/* An empty text leaves its field out. */
static const char *
or_none(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

static const char *
upstream_of(const struct flow *flow)
{
	return flow->fixed != NULL ? route_fixed_facts(flow->fixed)->target : NULL;
}

static const char *
agent_of(const struct flow *flow)
{
	return flow->member != NULL ? member_agent(flow->member) : NULL;
}

/* The client's own bytes: without our PROXY header, with the hello that went ahead in `open`. */
static uint64_t
bytes_in(const struct flow *flow)
{
	if (flow->pump == NULL)
		return flow->visit.bytes;
	return pump_bytes_from_a(flow->pump) - flow->proxy_bytes +
	    (flow->fixed == NULL ? flow->visit.hello.wire_bytes : 0);
}

void
flow_log_closed(const struct flow *flow, const char *reason)
{
	char id[ID_TEXT], client[ADDRESS_TEXT];
	uint64_t now = clock_us(), begun = flow->visit.accepted_us;

	log_event(LOG_INFO, "flow-closed", NULL,
	    log_str("flow", hex_encode(id, flow->id, sizeof(flow->id))),
	    log_str("client", address_text(&flow->visit.client, client)),
	    log_str("server_name", flow->visit.hello.server_name),
	    log_str("route", or_none(flow->route)),
	    log_str("agent", agent_of(flow)),
	    log_str("upstream", upstream_of(flow)),
	    log_u64("bytes_in", bytes_in(flow)),
	    log_u64("bytes_out", flow->pump != NULL ? pump_bytes_from_b(flow->pump) : 0),
	    log_u64("duration_ms", (now - begun) / 1000),
	    log_i64("ready_ms", flow->ready_us != 0 ? (int64_t)((flow->ready_us - begun) / 1000) : -1),
	    log_u64("attempts", flow->attempts),
	    log_str("reason", reason),
	    log_str("ja4", or_none(flow->ja4)));
}

static const char *
cure_of(enum refusal reason)
{
	switch (reason) {
	case REFUSE_UNKNOWN_NAME:
		return "no route has this name: start its agent, or add it to routes";
	case REFUSE_NO_AGENT:
		return "nobody could serve it in time: look at the agent's log, or at the upstream";
	case REFUSE_OVER_LIMIT:
		return "a limit is reached: raise it, or find out who uses it up";
	case REFUSE_NO_NAME:
	case REFUSE_MALFORMED:
	case REFUSE_DENIED:
	case REFUSE_FOREIGN_ALPN:
	case REFUSE_NOT_TLS:
	case REFUSE_TIMEOUT:
	case REFUSALS:
		break;	/* said before there is a flow */
	}
	return NULL;
}

void
flow_log_refused(const struct flow *flow, enum refusal reason, uint8_t alert)
{
	char id[ID_TEXT], client[ADDRESS_TEXT];

	log_event(LOG_INFO, "flow-refused", cure_of(reason),
	    log_str("code", refuse_word(reason)),
	    log_str("flow", hex_encode(id, flow->id, sizeof(flow->id))),
	    log_str("client", address_text(&flow->visit.client, client)),
	    log_str("server_name", flow->visit.hello.server_name),
	    log_str("route", or_none(flow->route)),
	    log_str("agent", agent_of(flow)),
	    log_str("upstream", upstream_of(flow)),
	    log_str("error", or_none(flow->trouble)),
	    log_str("reason", flow->reason),
	    log_u64("attempts", flow->attempts),
	    log_u64("duration_ms", (clock_us() - flow->visit.accepted_us) / 1000),
	    log_u64("alert", alert),
	    log_str("ja4", or_none(flow->ja4)));
}

void
flow_log_retry(const struct flow *flow, const char *why)
{
	char id[ID_TEXT];

	log_event(LOG_INFO, "flow-attempt-failed", why,
	    log_str("flow", hex_encode(id, flow->id, sizeof(flow->id))),
	    log_str("agent", agent_of(flow)),
	    log_str("state", flow_state_name[flow->state]),
	    log_u64("attempt", flow->attempts));
}
