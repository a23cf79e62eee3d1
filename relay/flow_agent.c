/*
 * A flow's way over an agent: take a parked channel, send `open` with the held
 * hello, wait for the answer; when none comes, try the next agent.
 *
 * `fail` says that no byte has reached an upstream, so another agent may always
 * be tried.  A channel that was lost or fell silent after `open` may have passed
 * early data on, which must not be played twice.
 *
 * An agent that lives says at least `working` at once.  Who hears nothing for a second
 * doubts the session, and looks what comes of that: where the agent answers a ping that
 * was sent after `open`, the channel alone is lost; where it does not, all of it may be.
 * In both cases the next attempt begins.
 */
#include "relay/flow.h"

#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/numbers.h"
#include "pki/verify.h"
#include "relay/flow_metrics.h"
#include "relay/flow_private.h"
#include "relay/session_ref.h"
#include "relay/shared.h"
#include "relay/trustwatch.h"
#include "tunnel/channel.h"

/* What is answered by `fail`, or was never opened, does not count among the attempts. The first is bounded by
 * ROUTE_TRIED_MOST, the second takes seconds of the flow's ten. */
enum { ATTEMPT_MS = 5000, ATTEMPTS_MOST = 3, SILENT_MS = 1000, LOOK_MS = 100 };

void
flow_agent_leave(struct flow *flow)
{
	if (!flow->session_ref)
		return;
	session_ref_leave_flow(flow->session_ref);
	session_ref_release(flow->session_ref);
	flow->session_ref = NULL;
}

/* Lets go of whatever the attempt at hand has; the session stays in `tried`. */
static void
drop(struct flow *flow)
{
	timer_clear(&flow->way->attempt);
	pool_cancel(flow->way->request);
	flow->way->request = NULL;
	channel_free(flow->way->channel);
	flow->way->channel = NULL;
	flow_agent_leave(flow);
}

/* Remembers the session that was tried; takes the reference. False when there have been too
 * many. */
static bool
note_tried(struct flow *flow, struct session_ref *ref, bool excluded)
{
	for (unsigned i = 0; i < flow->way->tried_count; i++) {
		if (flow->way->tried[i] != ref)
			continue;
		flow->way->excluded[i] |= excluded;
		session_ref_release(ref);
		return true;
	}
	if (flow->way->tried_count == ROUTE_TRIED_MOST) {
		session_ref_release(ref);
		return false;
	}
	flow->way->tried[flow->way->tried_count] = ref;
	flow->way->excluded[flow->way->tried_count++] = excluded;
	return true;
}

enum refusal
flow_agent_refusal(const struct flow *flow)
{
	const struct flow_way *way = flow->way;

	if (way->at_limit)
		return REFUSE_OVER_LIMIT;
	return way->denied_count > 0 && way->denied_count == way->tried_count ? REFUSE_DENIED
									      : REFUSE_NO_AGENT;
}

static bool
has_attempts_left(const struct flow *flow)
{
	return flow->attempts - flow->way->failed_count < ATTEMPTS_MOST;
}

static void
retry(struct flow *flow, const char *why, bool excluded)
{
	bool may = note_tried(flow, session_ref_hold(flow->session_ref), excluded) &&
	    has_attempts_left(flow);

	flow_log_retry(flow, why);
	counter_add(&flow->worker->metrics.attempts_failed, 1);
	snprintf(flow->way->trouble, sizeof flow->way->trouble, "%.500s", why);
	drop(flow);
	if (!may) {
		flow_refuse(flow, flow_agent_refusal(flow));
		return;
	}
	flow_move(flow, FLOW_LOOKING);
	flow_look_up(flow);
}

/* The channel was lost, or the agent fell silent, after `open` was sent. */
static void
lost(struct flow *flow, const char *why, bool excluded)
{
	if (!flow->way->conn.hello.early_data) {
		retry(flow, why, excluded);
		return;
	}
	flow_log_retry(flow, "the hello offers early data, which must not be sent twice");
	flow_refuse_because(flow, REFUSE_NO_AGENT, why);
}

void
flow_agent_give_up(struct flow *flow, const char *why)
{
	if (flow->state == FLOW_OPENING)
		lost(flow, why, true);
	else
		retry(flow, why, true);
}

static void
on_ready(struct flow *flow)
{
	struct stream *far = channel_release(flow->way->channel);

	session_ref_set_mute(flow->session_ref, false);
	channel_free(flow->way->channel);
	flow->way->channel = NULL;
	flow_join(flow, far, NULL, 0, flow->way->conn.hello.wire_bytes);
}

static void
on_fail(struct flow *flow)
{
	enum code code = channel_fail_code(flow->way->channel);
	char why[SENTENCE_TEXT];

	flow->way->at_limit = code == CODE_FLOW_LIMIT;
	flow->way->denied_count += code == CODE_CLIENT_DENIED;
	flow->way->failed_count++;
	session_ref_set_mute(flow->session_ref, false);
	if (code == CODE_AGENT_DRAINING) /* what its session says of it may come later */
		session_ref_set_draining(flow->session_ref);
	snprintf(why, sizeof why, "%s: %.450s", code_word(code), channel_error(flow->way->channel));
	retry(flow, why, true);
}

static void
on_gone(struct flow *flow)
{
	char why[SENTENCE_TEXT];

	snprintf(
	    why, sizeof why, "the channel was lost: %.450s", channel_error(flow->way->channel));
	lost(flow, why, false);
}

static void
on_channel(void *arg, enum channel_event event)
{
	struct flow *flow = arg;

	switch (event) {
	case CHANNEL_READY:
		on_ready(flow);
		break;
	case CHANNEL_FAIL:
		on_fail(flow);
		break;
	case CHANNEL_OVER:
		on_gone(flow);
		break;
	case CHANNEL_PARKED:
	case CHANNEL_OPEN:
	case CHANNEL_HELLO:
	case CHANNEL_PONG:
		break; /* the answer to a ping from before: welcome, and of no use any more */
	}
}

static void
fill_open(struct flow *flow, struct frame_open *open)
{
	struct conn *conn = &flow->way->conn;

	*open = (struct frame_open){ .endpoint = flow->way->endpoint,
		.client = conn_client(conn),
		.listener = conn_listener(conn),
		.carrier = flow->is_handoff ? CARRIER_HANDOFF : CARRIER_SEALED,
		.hello_bytes = conn->hello.wire_bytes };
	memcpy(open->flow_id, flow->id, sizeof open->flow_id);
	memcpy(open->server_name, conn->hello.server_name, sizeof open->server_name);
}

static void await_answer(struct flow *);

static void
on_answer(void *arg, struct channel *channel)
{
	struct flow *flow = arg;
	struct frame_open open;

	flow->way->request = NULL;
	if (!channel) {
		flow->way->failed_count++;
		retry(flow,
		    pool_is_over(session_ref_pool(flow->session_ref))
			? "the agent's session is gone or drains, and no channel comes"
			: "the agent lacks descriptors, ports or memory to open a channel",
		    true);
		return;
	}
	flow_metrics_has_channel(flow);
	flow->way->channel = channel;
	channel_attach(channel, flow->worker->loop, on_channel, flow);
	fill_open(flow, &open);
	flow_move(flow, FLOW_OPENING);
	if (channel_open(channel, &open, flow->way->conn.wire))
		await_answer(flow);
	else
		retry(flow, "the channel was lost before it was used", false);
}

/* ---- the wait for a channel, and for the answer ---- */

static void
end_attempt(struct flow *flow)
{
	if (flow->state == FLOW_OPENING)
		lost(flow,
		    channel_is_worked_on(flow->way->channel)
			? "the agent is working on it but did not answer in time"
			: "the agent did not answer in time",
		    false);
	else
		retry(flow, "the agent opened no channel in time", false);
}

/* Whether silence means something.  What may not be tried again is waited for to the end, and version 1
 * has no `working`. */
static bool
may_doubt(const struct flow *flow)
{
	const struct flow_way *way = flow->way;

	return flow->state == FLOW_TAKING ||
	    (!way->conn.hello.early_data && !channel_is_worked_on(way->channel) &&
		session_ref_version(flow->session_ref) >= PROTOCOL_FACTS);
}

/* To a question that was put since the wait began. */
static bool
answers_pings_alone(const struct flow *flow)
{
	return session_ref_answered_ms(flow->session_ref) > flow->way->waits_from_ms;
}

/* Of what was asked since the wait began; of a session that is gone nothing can be asked.  NULL: nobody knows
 * yet, or the flow has nothing better to do than to wait, because its channel may have a longer way. */
static const char *
proof_of_loss(const struct flow *flow)
{
	uint64_t from = flow->way->waits_from_ms;

	if (flow->state == FLOW_OPENING && !has_attempts_left(flow))
		return NULL;
	if (session_ref_silent_ms(flow->session_ref) > from)
		return "the agent answers neither this flow nor a ping";
	if (flow->state == FLOW_OPENING && answers_pings_alone(flow))
		return "the agent answers a ping and not this channel";
	if (session_ref_is_retired(flow->session_ref))
		return "the agent does not answer this channel, and its session is gone";
	return NULL;
}

static void
doubt(struct flow *flow, uint64_t now)
{
	if (now < flow->way->doubts_at_ms)
		return;
	flow->way->doubts_at_ms = now + SILENT_MS;
	session_ref_doubt(flow->session_ref);
}

static void
look_again(struct flow *flow, uint64_t ms)
{
	timer_set(&flow->way->attempt,
	    smaller_of(ms, difference(flow->way->attempt_until_ms, clock_ms())));
}

static void
on_attempt(void *arg)
{
	struct flow *flow = arg;
	uint64_t now = clock_ms();
	bool doubts = may_doubt(flow);
	const char *proof = doubts ? proof_of_loss(flow) : NULL;

	if (doubts && answers_pings_alone(flow))
		session_ref_set_mute(flow->session_ref, true);
	if (proof) {
		flow->way->failed_count += flow->state == FLOW_TAKING;
		retry(flow, proof, false);
	} else if (now >= flow->way->attempt_until_ms) {
		end_attempt(flow);
	} else if (doubts) {
		doubt(flow, now);
		look_again(flow, LOOK_MS);
	} else {
		look_again(flow, ATTEMPT_MS);
	}
}

static void
await_answer(struct flow *flow)
{
	uint64_t now = clock_ms();

	flow->way->waits_from_ms = now;
	flow->way->doubts_at_ms = now + SILENT_MS;
	look_again(flow, SILENT_MS);
}

/* The worker of the session may not have obeyed a new CRL yet that is in force here, so the agent
 * is judged again.  Earlier flows are judged when our worker obeys; so every flow is judged by
 * every trust set. */
static bool
is_trusted(struct flow *flow, const struct session_ref *ref)
{
	struct trust *trust = trustwatch_trust(flow->worker->shared->trustwatch);
	struct verdict verdict = { .code = VERIFY_UNKNOWN_CA };
	bool trusted = trust &&
	    identity_judge_again(session_ref_identity(ref), trust, clock_wall_s(), &verdict);

	if (!trusted)
		snprintf(flow->way->trouble, sizeof flow->way->trouble,
		    "the certificate of '%.64s' of %.200s is refused: %s", session_ref_agent(ref),
		    identity_issuer(session_ref_identity(ref)), verify_code_word(verdict.code));
	if (trust)
		trust_release(trust);
	return trusted;
}

/* Whether the agent may have this flow; counts it if so. */
static bool
is_acceptable(struct flow *flow, const struct route_answer *answer)
{
	const struct session_ref *ref = answer->session_ref;
	char why[USAGE_WHY];

	if (!is_trusted(flow, answer->session_ref))
		return false;
	if (answer->carriers == 0) {
		snprintf(flow->way->trouble, sizeof flow->way->trouble,
		    "the endpoint of '%.64s' of %.200s allows no carrier that this relay has",
		    session_ref_agent(ref), identity_issuer(session_ref_identity(ref)));
		return false;
	}
	if (session_ref_enter_flow(answer->session_ref, why))
		return true;
	flow->way->at_limit = true;
	snprintf(flow->way->trouble, sizeof flow->way->trouble, "%s", why);
	return false;
}

static void
take_channel(struct flow *flow)
{
	const struct address from = flow_client(flow);
	struct pool_asker asker = { .loop = flow->worker->loop,
		.client = &from,
		.on_answer = on_answer,
		.discard = channel_free,
		.arg = flow };
	enum pool_refusal why;

	flow->way->request = pool_take(session_ref_pool(flow->session_ref), &asker, &why);
	if (flow->way->request)
		return;
	if (why == POOL_REFUSED_WAITING) {
		flow->way->at_limit = true;
		retry(flow, "too many flows from this client or its network wait for a channel",
		    true);
		return;
	}
	flow_refuse_because(flow, REFUSE_OVER_LIMIT, "memory is short");
}

void
flow_agent_begin(struct flow *flow, const struct route_answer *answer)
{
	if (!is_acceptable(flow, answer)) {
		if (note_tried(flow, answer->session_ref, true))
			flow_look_up(flow);
		else
			flow_refuse(flow, flow_agent_refusal(flow));
		return;
	}
	flow->session_ref = answer->session_ref;
	flow->way->endpoint = answer->endpoint;
	flow->is_handoff = answer->carriers & 1u << CARRIER_HANDOFF;
	flow->attempts++;
	flow_move(flow, FLOW_TAKING);
	timer_init(&flow->way->attempt, flow->worker->loop, on_attempt, flow);
	flow->way->attempt_until_ms = clock_ms() + ATTEMPT_MS;
	await_answer(flow);
	take_channel(flow);
}
