/*
 * The life of a flow: its `open` is judged, the client's handshake done
 * (flow_client.c), the upstream dialled, the two sides joined, and the end logged.
 */
#include "agent/flow.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/challenge.h"
#include "agent/endpoint_table.h"
#include "agent/flow_private.h"
#include "agent/open_check.h"
#include "agent/pooled_channel.h"
#include "agent/session_ref.h"
#include "agent/upstream_dial.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/numbers.h"
#include "base/shares.h"
#include "tunnel/channel.h"
#include "tunnel/pump.h"

static const unsigned may_move[FLOW_STATES] = {
	[FLOW_OPENED] = 1u << FLOW_HANDSHAKING | 1u << FLOW_DIALLING | 1u << FLOW_OVER,
	[FLOW_HANDSHAKING] = 1u << FLOW_DIALLING | 1u << FLOW_LINGERING | 1u << FLOW_OVER,
	[FLOW_DIALLING] = 1u << FLOW_JOINED | 1u << FLOW_LINGERING | 1u << FLOW_OVER,
	[FLOW_JOINED] = 1u << FLOW_OVER,
	[FLOW_LINGERING] = 1u << FLOW_OVER,
};
static const char *const state_name[FLOW_STATES] = {
	[FLOW_OPENED] = "opened",
	[FLOW_HANDSHAKING] = "handshaking",
	[FLOW_DIALLING] = "dialling",
	[FLOW_JOINED] = "joined",
	[FLOW_LINGERING] = "lingering",
	[FLOW_OVER] = "over",
};

/* The only writer of ->state. */
void
agent_flow_move(struct agent_flow *flow, enum agent_flow_state state)
{
	assert(may_move[flow->state] & 1u << state);
	log_move("flow", log_hex("flow", flow->id, FLOW_ID_BYTES), state_name[flow->state],
	    state_name[state]);
	flow->state = (uint8_t)state;
}

const char *
agent_flow_state_name(const struct agent_flow *flow)
{
	return state_name[flow->state];
}

/* ---- the end ---- */

/* A sentence about the reason; NULL: there is none. */
static const char *
detail_of(const struct agent_flow *flow)
{
	if (flow->pump)
		return pump_fault(flow->pump);
	return flow->setup && flow->setup->detail[0] ? flow->setup->detail : NULL;
}

const char *
agent_flow_upstream(const struct agent_flow *flow)
{
	return flow->endpoint ? upstream_group_target(flow->endpoint->upstream.group, flow->target)
			      : NULL;
}

static void
leave_target(struct agent_flow *flow)
{
	if (flow->is_counted)
		upstream_group_leave(flow->endpoint->upstream.group, flow->target);
	flow->is_counted = false;
}

static void
log_close(const struct agent_flow *flow)
{
	const struct address from = address_of_ip(&flow->address);
	char client[ADDRESS_TEXT];
	const struct endpoint *endpoint = flow->endpoint;
	const char *detail = detail_of(flow);
	uint64_t now = clock_ms();
	const struct log_field fields[] = {
		log_hex("flow", flow->id, FLOW_ID_BYTES),
		log_str("client", address_text(&from, client)),
		log_str("server_name", flow->server_name),
		log_str("endpoint", endpoint ? endpoint->name : NULL),
		log_str("mode",
		    !endpoint                  ? NULL
			: endpoint->terminates ? "terminate"
					       : "passthrough"),
		log_str("carrier", carrier_word(flow->carrier)),
		log_str("upstream", agent_flow_upstream(flow)),
		log_str("relay", flow->ref->relay),
		log_u64("bytes_in", flow->pump ? pump_bytes_from_a(flow->pump) : 0),
		log_u64("bytes_out", flow->pump ? pump_bytes_from_b(flow->pump) : 0),
		log_u64("duration_ms", now - flow->opened_at_ms),
		log_i64("ready_ms", flow->ready_ms),
		log_str("reason", flow->reason),
		log_str("silent", pump_silent_side(flow->pump, "relay", "upstream")),
		log_str("tls", flow->version),
		flow->is_resumed ? log_bool("resumed", true) : log_str("resumed", NULL),
		log_str(
		    "client_certificate", flow->identity ? identity_subject(flow->identity) : NULL),
		{ 0 },
	};

	/* What was never joined has cost its client no more than what is refused. */
	if (flow->ready_ms < 0)
		log_write_limited(LOG_INFO, "flow-closed", &from, detail, fields);
	else
		log_write(LOG_INFO, "flow-closed", detail, fields);
	agent_flow_count_closed(flow);
}

static void
on_reap(void *arg)
{
	struct agent_flow *flow = arg;

	log_close(flow);
	flow->context->on_over(flow->context->arg, flow);
}

/* From now on neither the client's TLS nor the dial calls back. */
static void
stop_setup(struct agent_flow_setup *setup)
{
	tls_driver_wipe(&setup->driver);
	upstream_dial_free(setup->dial);
	setup->dial = NULL;
}

static void
free_setup(struct agent_flow_setup *setup)
{
	stop_setup(setup);
	peer_check_wipe(&setup->client_check);
	shares_leave(setup->handshake);
	pooled_channel_free(setup->pooled);
	if (setup->client)
		stream_free(tls_stream(setup->client));
	tls_config_release(setup->challenge);
	stream_free(setup->channel);
	free(setup);
}

/* Where nothing tells the client that the flow is over, it must not look like its end. */
static void
reset_client(struct agent_flow *flow)
{
	if (agent_flow_client_tls(flow) && flow->state != FLOW_LINGERING)
		stream_reset(tls_stream(agent_flow_client_tls(flow)));
}

void
agent_flow_end(struct agent_flow *flow, const char *reason, const char *detail)
{
	if (flow->state == FLOW_OVER)
		return;
	reset_client(flow);
	agent_flow_move(flow, FLOW_OVER);
	if (flow->setup)
		stop_setup(flow->setup);
	if (!flow->reason)
		flow->reason = reason;
	if (detail && flow->setup)
		snprintf(flow->setup->detail, DETAIL_TEXT, "%s", detail);
	loop_later(flow->context->loop, &flow->reap);
}

void
agent_flow_free(struct agent_flow *flow)
{
	if (!flow)
		return;
	if (flow->state != FLOW_OVER) {
		flow->reason = flow->reason ? flow->reason : "agent-stopped";
		log_close(flow);
		reset_client(flow);
	}
	if (flow->context->walks)
		list_walks_step_over(flow->context->walks, flow, LIST_NEXT(flow, link));
	LIST_REMOVE(flow, link);
	loop_forget(flow->context->loop, &flow->reap);
	pump_free(flow->pump);
	if (flow->setup)
		free_setup(flow->setup);
	shares_leave(flow->place);
	leave_target(flow);
	if (flow->identity)
		identity_release(flow->identity);
	endpoint_release(flow->endpoint);
	agent_session_ref_release(flow->ref);
	free(flow);
}

struct agent_flow *
agent_flow_next(struct agent_flow *flow)
{
	return LIST_NEXT(flow, link);
}

static void
on_lingered(void *arg, enum io result)
{
	(void)result;
	agent_flow_end(arg, NULL, NULL);
}

/* Nothing goes on but telling why. */
static void
give_up(struct agent_flow *flow, const char *reason, const char *detail)
{
	flow->reason = reason;
	snprintf(flow->setup->detail, DETAIL_TEXT, "%s", detail);
	stop_setup(flow->setup);
}

void
agent_flow_refuse_client(
    struct agent_flow *flow, unsigned alert, const char *reason, const char *detail)
{
	give_up(flow, reason, detail);
	if (alert)
		tls_alert(flow->setup->client, alert);
	agent_flow_move(flow, FLOW_LINGERING);
	tls_driver_start(&flow->setup->driver, flow->context->loop, flow->setup->client, tls_linger,
	    TLS_LINGER_MS, on_lingered, flow);
}

void
agent_flow_fail(struct agent_flow *flow, enum code code, const char *sentence, const char *detail)
{
	give_up(flow, code_word(code), detail);
	channel_fail(pooled_channel_channel(flow->setup->pooled), code, sentence);
}

void
agent_flow_fail_as(
    struct agent_flow *flow, enum code code, const char *reason, const char *sentence)
{
	give_up(flow, reason, sentence);
	channel_fail(pooled_channel_channel(flow->setup->pooled), code, sentence);
}

/* ---- joining ---- */

/* Of the TLS that was spoken for the flow: a channel's is between relay and agent. */
static const char *
end_word(const struct agent_flow *flow, enum pump_end how)
{
	bool is_tls = pump_fault(flow->pump) != NULL;

	if (how == PUMP_RESET_A)
		return is_tls && flow->endpoint->terminates ? "client-tls-failed" : "client-reset";
	if (how == PUMP_RESET_B)
		return is_tls ? "upstream-tls-failed" : "upstream-reset";
	return pump_end_word(how);
}

static void
on_pumped(void *arg, enum pump_end how)
{
	struct agent_flow *flow = arg;

	agent_flow_end(flow, end_word(flow, how), NULL);
}

/* Takes both streams. */
static void
join(struct agent_flow *flow, struct stream *client, struct stream *upstream)
{
	struct pump_settings bounds = flow->endpoint->bounds;

	agent_flow_move(flow, FLOW_JOINED);
	flow->ready_ms = (int32_t)(clock_ms() - flow->opened_at_ms);
	agent_flow_count_joined(flow);
	flow->setup->channel = NULL;
	flow->setup->client = NULL;
	bounds.stalls = flow->context->stalls;
	flow->pump = pump_new(flow->context->loop, client, upstream, &bounds, on_pumped, flow);
	if (!flow->pump)
		agent_flow_end(flow, code_word(CODE_INTERNAL), "memory is short");
	free_setup(flow->setup);
	flow->setup = NULL;
}

bool
agent_flow_release_channel(struct agent_flow *flow)
{
	struct agent_flow_setup *setup = flow->setup;
	struct channel *channel = pooled_channel_channel(setup->pooled);

	if (channel_ready(channel, &(struct frame_ready){ 0 }))
		setup->channel = channel_release(channel);
	pooled_channel_free(setup->pooled);
	setup->pooled = NULL;
	return setup->channel != NULL;
}

/* ---- the upstream ---- */

static void
on_dial_failed(struct agent_flow *flow, const char *error)
{
	if (flow->setup->client)
		agent_flow_refuse_client(
		    flow, ALERT_INTERNAL_ERROR, code_word(CODE_UPSTREAM_DOWN), error);
	else
		agent_flow_fail(flow, CODE_UPSTREAM_DOWN, "the upstream does not answer", error);
}

/* No upstream is at fault, so another agent may well come through. */
static void
on_host_short(struct agent_flow *flow, const char *error)
{
	static const char reason[] = "connect-short";

	if (flow->setup->client) {
		agent_flow_refuse_client(flow, ALERT_INTERNAL_ERROR, reason, error);
		return;
	}
	give_up(flow, reason, error);
	channel_fail(pooled_channel_channel(flow->setup->pooled), CODE_FLOW_LIMIT,
	    "the agent has no descriptor, memory or port left to dial with");
}

static void dial_next(struct agent_flow *, const char *why);

static void
on_dialled(void *arg, struct stream *upstream, const char *error)
{
	struct agent_flow *flow = arg;
	bool is_short = upstream_dial_is_short(flow->setup->dial);

	upstream_dial_free(flow->setup->dial);
	flow->setup->dial = NULL;
	if (is_short) {
		on_host_short(flow, error);
		return;
	}
	upstream_group_note_dial(
	    flow->endpoint->upstream.group, flow->target, upstream ? NULL : error, clock_ms());
	if (!upstream) {
		dial_next(flow, error);
		return;
	}
	if (flow->setup->client)
		join(flow, tls_stream(flow->setup->client), upstream);
	else if (agent_flow_release_channel(flow))
		join(flow, flow->setup->channel, upstream);
	else {
		stream_reset(upstream);
		stream_free(upstream);
		agent_flow_end(flow, "relay-gave-up", NULL);
	}
}

struct heavy_party
agent_flow_party(const struct agent_flow *flow)
{
	return heavy_party_of(flow->ref->owner, &flow->setup->open.client);
}

static void
dial(struct agent_flow *flow, uint64_t timeout_ms)
{
	struct agent_flow_header header;
	struct upstream_dial_options options = {
		.upstream = &flow->endpoint->upstream,
		.target = flow->target,
		.timeout_ms = timeout_ms,
		.alpn = flow->setup->client ? tls_alpn(flow->setup->client) : "",
		.forgives_truncation = flow->endpoint->forgives_truncation,
		.party = agent_flow_party(flow),
	};

	if (!agent_flow_make_header(flow, &header))
		return;
	options.header = header.data;
	options.header_bytes = header.bytes;
	flow->setup->dial = upstream_dial_new(
	    flow->context->loop, flow->context->resolver, &options, on_dialled, flow);
	free(header.data);
	if (!flow->setup->dial)
		on_host_short(flow, "memory is short");
}

static void
log_retry(const struct agent_flow *flow, const char *why)
{
	const struct address from = address_of_ip(&flow->address);

	log_limited(LOG_INFO, "flow-attempt-failed", &from, why,
	    log_hex("flow", flow->id, FLOW_ID_BYTES), log_str("endpoint", flow->endpoint->name),
	    log_str("upstream", agent_flow_upstream(flow)));
}

/* `why` the last one failed. */
static void
dial_next(struct agent_flow *flow, const char *why)
{
	struct agent_flow_setup *setup = flow->setup;
	struct upstream_group *group = flow->endpoint->upstream.group;
	uint64_t now = clock_ms(), left_ms = difference(setup->dial_until_ms, now), share_ms;
	unsigned next =
	    left_ms > 0 ? upstream_group_enter(group, setup->tried, now) : UPSTREAM_NONE;

	if (next == UPSTREAM_NONE) {
		on_dial_failed(flow, why);
		return;
	}
	if (setup->tried != 0)
		log_retry(flow, why);
	leave_target(flow);
	flow->target = (uint8_t)next;
	flow->is_counted = true;
	share_ms =
	    upstream_group_share(group, setup->tried, left_ms, flow->endpoint->upstream.connect_ms);
	setup->tried |= UINT32_C(1) << next;
	dial(flow, share_ms);
}

void
agent_flow_dial(struct agent_flow *flow)
{
	if (!agent_flow_admit(flow))
		return;
	agent_flow_move(flow, FLOW_DIALLING);
	flow->setup->dial_until_ms = clock_ms() + SETTINGS_CONNECT_MS;
	dial_next(flow, "all upstreams of the endpoint have gone down");
}

/* ---- the beginning ---- */

/* The channel may be lost before it is released.  After our `fail` this is the regular end. */
static void
on_pooled(void *arg, struct pooled_channel *pooled, enum pooled_channel_event event)
{
	struct agent_flow *flow = arg;

	if (event == POOLED_DISPLACED && !flow->reason)
		give_up(flow, agent_flow_displaced, pooled_channel_displaced);
	else if (event == POOLED_OVER)
		agent_flow_end(
		    flow, "relay-gave-up", flow->reason ? NULL : pooled_channel_error(pooled));
}

static void
find_challenge(struct agent_flow *flow)
{
	struct agent_flow_setup *setup = flow->setup;
	const uint8_t *hello = channel_hello(pooled_channel_channel(setup->pooled));

	if (flow->endpoint && endpoint_answers_challenges(flow->endpoint) &&
	    challenges_are_any(flow->context->challenges) &&
	    open_is_for_challenge(&setup->open, hello))
		setup->challenge = challenges_find(flow->context->challenges, flow->server_name);
}

static enum code
judge_open(const struct agent_flow *flow, char sentence[SENTENCE_TEXT])
{
	const struct agent_flow_setup *setup = flow->setup;
	const struct channel *channel = pooled_channel_channel(setup->pooled);

	if (!flow->context->is_draining)
		return open_check(&setup->open, flow->endpoint, channel_hello(channel),
		    setup->challenge != NULL, sentence);
	snprintf(sentence, SENTENCE_TEXT, "the agent is stopping");
	return CODE_AGENT_DRAINING;
}

static void
begin(struct agent_flow *flow)
{
	char sentence[SENTENCE_TEXT];
	enum code code;

	agent_flow_count_begun(flow);
	find_challenge(flow);
	code = judge_open(flow, sentence);
	if (code == CODE_CLIENT_DENIED)
		atomic_fetch_add(&flow->endpoint->denied, 1);
	if (!agent_flow_take_place(flow))
		return;
	if (code != CODE_NONE)
		agent_flow_fail(flow, code, sentence, sentence);
	else if (flow->endpoint->terminates)
		agent_flow_start_handshake(flow);
	else
		agent_flow_dial(flow);
}

/* With what is asked for to its end. NULL when memory is short. */
static struct agent_flow *
new_flow(const struct frame_open *open)
{
	size_t name_bytes = strlen(open->server_name) + 1;
	struct agent_flow *flow = calloc(1, sizeof *flow + name_bytes);
	struct agent_flow_setup *setup = calloc(1, sizeof *setup);

	if (!flow || !setup) {
		free(flow);
		free(setup);
		return NULL;
	}
	flow->setup = setup;
	setup->open = *open;
	setup->open.facts = (struct facts){ 0 }; /* the channel's, which ends before */
	memcpy(flow->id, open->flow_id, sizeof flow->id);
	memcpy(flow->server_name, open->server_name, name_bytes);
	flow->address = ip_address_of(&open->client);
	flow->carrier = (uint8_t)open->carrier;
	flow->ready_ms = -1;
	return flow;
}

struct agent_flow *
agent_flow_new(const struct agent_flow_context *context, struct pooled_channel *pooled,
    struct agent_flow_list *list)
{
	const struct frame_open *open = channel_open_frame(pooled_channel_channel(pooled));
	struct agent_flow *flow = new_flow(open);
	struct endpoint *endpoint;

	if (!flow) {
		pooled_channel_free(pooled);
		return NULL;
	}
	flow->context = context;
	flow->ref = agent_session_ref_hold(pooled_channel_session(pooled));
	flow->setup->pooled = pooled;
	endpoint = endpoint_table_find_opened(context->endpoint_table, open->endpoint);
	flow->endpoint = endpoint ? endpoint_hold(endpoint) : NULL;
	flow->opened_at_ms = clock_ms();
	task_init(&flow->reap, on_reap, flow);
	LIST_INSERT_HEAD(list, flow, link);
	pooled_channel_hand_over(pooled, on_pooled, flow);
	begin(flow);
	return flow;
}

/* ---- judged again ---- */

static void
cut(struct agent_flow *flow, const char *reason, unsigned alert, const char *sentence)
{
	flow->reason = reason;
	log_audit(LOG_WARNING, "flow-cut", sentence, log_hex("flow", flow->id, FLOW_ID_BYTES),
	    log_str("server_name", flow->server_name), log_str("reason", reason));
	if (flow->pump)
		pump_stop(flow->pump);
	else if (agent_flow_client_tls(flow) && flow->state == FLOW_DIALLING)
		agent_flow_refuse_client(flow, alert, reason, sentence);
	else
		agent_flow_end(flow, reason, sentence);
}

static void
cut_by_verdict(struct agent_flow *flow, const struct verdict *verdict)
{
	cut(flow, verify_code_word(verdict->code), verdict->alert, verdict->sentence);
}

/* Before its handshake is over nobody knows who a client is. */
static void
admit_again(struct agent_flow *flow)
{
	char sentence[DENIAL_TEXT];

	if ((flow->state == FLOW_DIALLING || flow->state == FLOW_JOINED) &&
	    !agent_flow_is_admitted(flow, sentence))
		cut(flow, agent_flow_denied, ALERT_ACCESS_DENIED, sentence);
}

void
agent_flow_judge_again(struct agent_flow *flow, int64_t now_s)
{
	struct trust *relays = flow->context->endpoint_table->relays;
	struct verdict verdict;

	if (flow->state == FLOW_OVER || flow->state == FLOW_LINGERING)
		return;
	/* When the relay's certificate expires, its session ends but joined flows go on. */
	if (flow->ref->peer && !identity_judge_again(flow->ref->peer, relays, now_s, &verdict) &&
	    (verdict.code != VERIFY_EXPIRED || flow->state != FLOW_JOINED)) {
		cut_by_verdict(flow, &verdict);
		return;
	}
	if (flow->identity &&
	    !identity_judge_again(flow->identity, agent_flow_client_trust(flow), now_s, &verdict))
		cut_by_verdict(flow, &verdict);
	else
		admit_again(flow);
}
