/*
 * The life of a flow.
 */
#include "agent/flow.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/flow_private.h"
#include "agent/pooled_channel.h"
#include "agent/roster.h"
#include "agent/session_ref.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/units.h"
#include "tunnel/channel.h"

static const unsigned may_move[FLOW_STATES] = {
	[FLOW_OPENED] = 1u << FLOW_SHAKING | 1u << FLOW_REACHING | 1u << FLOW_OVER,
	[FLOW_SHAKING] = 1u << FLOW_REACHING | 1u << FLOW_LINGERING | 1u << FLOW_OVER,
	[FLOW_REACHING] = 1u << FLOW_JOINED | 1u << FLOW_LINGERING | 1u << FLOW_OVER,
	[FLOW_JOINED] = 1u << FLOW_OVER,
	[FLOW_LINGERING] = 1u << FLOW_OVER,
};

void
flow_move(struct flow *flow, enum flow_state state)
{
	assert(may_move[flow->state] & 1u << state);
	flow->state = state;
}

/* ---- the end ---- */

static void
log_close(struct flow *flow)
{
	char id[2 * FLOW_ID_BYTES + 1], client[ADDRESS_TEXT];
	const struct endpoint *endpoint = flow->endpoint;
	const char *detail = flow->setup && flow->setup->detail[0] ? flow->setup->detail : NULL;
	uint64_t now = clock_ms();

	if (flow->pump) {
		flow->bytes_in = pump_bytes_from_a(flow->pump);
		flow->bytes_out = pump_bytes_from_b(flow->pump);
	}
	log_event(LOG_INFO, "flow-closed", detail,
	    log_str("flow", hex_encode(id, flow->open.flow_id, FLOW_ID_BYTES)),
	    log_str("client", address_text(&flow->open.client, client)),
	    log_str("server_name", flow->open.server_name),
	    log_str("endpoint", endpoint ? endpoint->name : NULL),
	    log_str("mode", !endpoint		   ? NULL
			    : endpoint->terminates ? "terminate"
						   : "passthrough"),
	    log_str("upstream", endpoint ? endpoint->upstream.url.target : NULL),
	    log_str("relay", flow->ref->relay), log_u64("bytes_in", flow->bytes_in),
	    log_u64("bytes_out", flow->bytes_out), log_u64("duration_ms", now - flow->opened_at_ms),
	    log_i64("ready_ms",
		flow->joined_at_ms ? (int64_t)(flow->joined_at_ms - flow->opened_at_ms) : -1),
	    log_str("reason", flow->reason), log_str("tls", flow->version),
	    log_str(
		"client_certificate", flow->identity ? identity_subject(flow->identity) : NULL));
}

static void
on_reap(void *arg)
{
	struct flow *flow = arg;

	log_close(flow);
	flow->on_over(flow->arg, flow);
}

void
flow_end(struct flow *flow, const char *reason, const char *detail)
{
	if (flow->state == FLOW_OVER)
		return;
	flow_move(flow, FLOW_OVER);
	if (!flow->reason)
		flow->reason = reason;
	if (detail && flow->setup)
		snprintf(flow->setup->detail, FLOW_DETAIL, "%s", detail);
	loop_later(flow->context->loop, &flow->reap);
}

void
flow_free(struct flow *flow)
{
	if (!flow)
		return;
	if (flow->state != FLOW_OVER) {
		flow->reason = flow->reason ? flow->reason : "agent-stopped";
		log_close(flow);
	}
	LIST_REMOVE(flow, link);
	loop_forget(flow->context->loop, &flow->reap);
	pump_free(flow->pump);
	if (flow->setup) {
		handshake_wipe(&flow->setup->handshake);
		lingering_wipe(&flow->setup->lingering);
		peer_check_wipe(&flow->setup->judge);
		upstream_dial_free(flow->setup->dial);
		free(flow->setup);
	}
	pooled_channel_free(flow->pooled);
	if (flow->client)
		stream_free(tls_stream(flow->client));
	stream_free(flow->sealed);
	if (flow->identity)
		identity_release(flow->identity);
	endpoint_release(flow->endpoint);
	session_ref_release(flow->ref);
	free(flow);
}

struct flow *
flow_next(struct flow *flow)
{
	return LIST_NEXT(flow, link);
}

/* ---- the beginning ---- */

/* While the channel is still one it can be lost; after our `fail` that is how it ends. */
static void
on_pooled(void *arg, struct pooled_channel *pooled, enum pooled_channel_event event)
{
	struct flow *flow = arg;

	if (event == POOLED_OVER)
		flow_end(flow, "relay-gave-up", flow->reason ? NULL : pooled_channel_error(pooled));
}

static void
begin(struct flow *flow)
{
	struct channel *channel = pooled_channel_channel(flow->pooled);
	char sentence[SENTENCE_TEXT];
	enum code code = flow_check_open(flow, channel_hello(channel), sentence);

	if (code == CODE_NONE) {
		flow_begin(flow);
		return;
	}
	flow->reason = code_word(code);
	snprintf(flow->setup->detail, FLOW_DETAIL, "%s", sentence);
	channel_fail(channel, code, sentence);
}

struct flow *
flow_new(const struct flow_context *context, struct pooled_channel *pooled, struct flow_list *list,
    void (*on_over)(void *arg, struct flow *), void *arg)
{
	struct flow *flow = calloc(1, sizeof *flow);
	struct flow_setup *setup = calloc(1, sizeof *setup);
	struct endpoint *endpoint;

	if (!flow || !setup) {
		free(flow);
		free(setup);
		pooled_channel_free(pooled);
		return NULL;
	}
	flow->context = context;
	flow->setup = setup;
	flow->open = *channel_open_frame(pooled_channel_channel(pooled));
	flow->ref = session_ref_hold(pooled_channel_session(pooled));
	flow->pooled = pooled;
	endpoint = roster_find(context->roster, flow->open.endpoint);
	flow->endpoint = endpoint ? endpoint_hold(endpoint) : NULL;
	flow->opened_at_ms = clock_ms();
	flow->on_over = on_over;
	flow->arg = arg;
	task_init(&flow->reap, on_reap, flow);
	LIST_INSERT_HEAD(list, flow, link);
	pooled_channel_give(pooled, on_pooled, flow);
	begin(flow);
	return flow;
}

/* ---- judged again ---- */

static void
cut(struct flow *flow, const struct verdict *verdict)
{
	flow->reason = verify_code_word(verdict->code);
	log_event(LOG_WARNING, "flow-cut", verdict->sentence,
	    log_str("server_name", flow->open.server_name), log_str("reason", flow->reason));
	if (flow->pump)
		pump_stop(flow->pump);
	else if (flow->client && flow->state == FLOW_REACHING)
		flow_refuse_client(flow, verdict->alert, flow->reason, verdict->sentence);
	else
		flow_end(flow, flow->reason, verdict->sentence);
}

void
flow_judge_again(struct flow *flow, int64_t now_s)
{
	const struct roster *roster = flow->context->roster;
	struct endpoint *endpoint;
	struct verdict verdict;
	struct trust *trust;

	if (flow->state == FLOW_OVER || flow->state == FLOW_LINGERING)
		return;
	/* Expiry of the relay's certificate ends sessions, not what they have joined. */
	if (flow->ref->peer &&
	    !identity_judge_again(flow->ref->peer, roster->relays, now_s, &verdict) &&
	    (verdict.code != VERIFY_EXPIRED || flow->state != FLOW_JOINED)) {
		cut(flow, &verdict);
		return;
	}
	if (!flow->identity)
		return;
	endpoint = roster_find(roster, flow->endpoint->number);
	trust = endpoint && endpoint->clients ? endpoint->clients : flow->endpoint->clients;
	if (!identity_judge_again(flow->identity, trust, now_s, &verdict))
		cut(flow, &verdict);
}
