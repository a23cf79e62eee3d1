/* The places of a flow in what all relays share, and its end when others need them more. */
#include "agent/flow_private.h"

#include "agent/pooled_channel.h"
#include "agent/session_ref.h"
#include "base/memory.h"
#include "base/shares.h"
#include "tunnel/pump.h"

const char agent_flow_displaced[] = "displaced";
static const char displaced_sentence[] =
    "all places are taken, and most of them by what came through this relay";

/* The address has to last as long as the entrant is used. */
static struct shares_entrant
entrant_of(struct agent_flow *flow, const struct address *address, void (*on_evict)(void *arg))
{
	return (struct shares_entrant){
		.loop = flow->context->loop,
		.client = address,
		.owner = flow->ref->owner,
		.on_evict = on_evict,
		.arg = flow,
	};
}

static struct shares_place *
enter(struct agent_flow *flow, struct shares *shares, void (*on_evict)(void *arg))
{
	struct shares_place *place;
	enum shares_verdict verdict;
	const struct address address = address_of_ip(&flow->address);
	struct shares_entrant entrant = entrant_of(flow, &address, on_evict);

	place = shares_enter(shares, &entrant, &verdict);
	if (verdict == SHARES_MEMORY)
		memory_short("the place of a flow");
	return place;
}

static void
on_linger_displaced(void *arg)
{
	struct agent_flow *flow = arg;

	shares_leave(flow->place);
	flow->place = NULL;
	agent_flow_end(flow, NULL, NULL);
}

/* Whoever is told why it goes is read from until it has heard that and closes: one unread byte would make
 * the end a reset, which may overtake the word. */
static void
linger(struct agent_flow *flow)
{
	flow->place = enter(flow, flow->context->lingers, on_linger_displaced);
	if (!flow->place)
		agent_flow_end(flow, NULL, NULL);
}

/* The relay is told, so that it asks another agent and not this one again. */
static void
refuse_relay(struct agent_flow *flow)
{
	if (!flow->reason)
		agent_flow_fail(flow, CODE_FLOW_LIMIT, "limits.flows of the agent is reached",
		    displaced_sentence);
	linger(flow);
}

/* Somebody with less needs its place. */
static void
on_displaced(void *arg)
{
	struct agent_flow *flow = arg;

	shares_leave(flow->place);
	flow->place = NULL;
	if (flow->state == FLOW_OVER)
		return;
	if (flow->pump) {
		flow->reason = agent_flow_displaced;
		pump_stop(flow->pump);
	} else if (flow->setup->pooled) {
		refuse_relay(flow);
	} else {
		if (flow->state != FLOW_LINGERING)
			agent_flow_refuse_client(
			    flow, ALERT_INTERNAL_ERROR, agent_flow_displaced, displaced_sentence);
		linger(flow);
	}
}

bool
agent_flow_take_place(struct agent_flow *flow)
{
	flow->place = enter(flow, flow->context->flows, on_displaced);
	if (!flow->place)
		refuse_relay(flow);
	return flow->place;
}

static void
on_handshake_displaced(void *arg)
{
	struct agent_flow *flow = arg;

	shares_leave(flow->setup->handshake);
	flow->setup->handshake = NULL;
	if (flow->state == FLOW_HANDSHAKING)
		agent_flow_end(flow, agent_flow_displaced, displaced_sentence);
}

bool
agent_flow_take_handshake(struct agent_flow *flow)
{
	flow->setup->handshake = enter(flow, flow->context->handshakes, on_handshake_displaced);
	return flow->setup->handshake;
}

/* ---- memory ---- */

static void
on_standstill_evicted(void *arg)
{
	struct agent_flow *flow = arg;
	const struct address address = address_of_ip(&flow->address);

	if (!standstill_must_end(flow->context->standstills, &flow->standstill,
		pump_stalled_ms(flow->pump), &address, flow->id))
		return;
	flow->reason = standstill_reason;
	pump_stop(flow->pump);
}

void
agent_flow_on_held(void *arg, uint64_t own_bytes, uint64_t kernel_bytes)
{
	struct agent_flow *flow = arg;
	const struct address address = address_of_ip(&flow->address);
	struct shares_entrant entrant = entrant_of(flow, &address, on_standstill_evicted);

	standstill_note(
	    flow->context->standstills, &flow->standstill, &entrant, own_bytes, kernel_bytes);
}
