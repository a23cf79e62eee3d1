/* The life of a flow but for how it gets its far side. */
#include "relay/flow.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/socket.h"
#include "pki/verify.h"
#include "relay/lingering.h"
#include "relay/flow_parts.h"
#include "relay/limits.h"
#include "relay/member.h"
#include "relay/relay.h"
#include "relay/rules.h"
#include "tunnel/channel.h"
#include "tunnel/pump.h"

enum { WHOLE_MS = 10000, MORE_BYTES = 16384 };

const char *const flow_state_name[FLOW_STATES] = {
	[FLOW_LOOKING] = "looking",
	[FLOW_TAKING] = "taking",
	[FLOW_OPENING] = "opening",
	[FLOW_CONNECTING] = "connecting",
	[FLOW_JOINED] = "joined",
	[FLOW_OVER] = "over",
};

static const unsigned may_move[FLOW_STATES] = {
	[FLOW_LOOKING] = 1u << FLOW_TAKING | 1u << FLOW_CONNECTING | 1u << FLOW_OVER,
	[FLOW_TAKING] = 1u << FLOW_OPENING | 1u << FLOW_LOOKING | 1u << FLOW_OVER,
	[FLOW_OPENING] = 1u << FLOW_JOINED | 1u << FLOW_LOOKING | 1u << FLOW_OVER,
	[FLOW_CONNECTING] = 1u << FLOW_JOINED | 1u << FLOW_OVER,
	[FLOW_JOINED] = 1u << FLOW_OVER,
};

void
flow_move(struct flow *flow, enum flow_state to)
{
	assert(may_move[flow->state] & 1u << to);
	flow->state = to;
}

static void
reap(void *arg)
{
	struct flow *flow = arg;

	rules_release(flow->rules);
	free(flow);
}

/* From here on nothing of it is in the loop but the reaping. */
static void
dissolve(struct flow *flow)
{
	struct station *station = flow->station;

	flow_move(flow, FLOW_OVER);
	LIST_REMOVE(flow, link);
	watch_wipe(&flow->client);
	timer_clear(&flow->attempt);
	timer_clear(&flow->whole);
	if (flow->connector != NULL)
		connector_free(flow->connector);
	flow->connector = NULL;
	pump_free(flow->pump);
	flow->pump = NULL;
	flow_agent_drop(flow);
	for (unsigned i = 0; i < flow->tried_count; i++)
		member_release(flow->tried[i]);
	route_fixed_release(flow->fixed);
	if (flow->is_counted)
		limits_leave(station->relay->limits, &flow->visit.client);
	visit_wipe(&flow->visit);
	if (!flow->is_asking)
		loop_later(station->loop, &flow->reap);
	station_check(station);
}

static void
end(struct flow *flow, const char *reason)
{
	flow_log_closed(flow, reason);
	dissolve(flow);
}

static struct visit
take_visit(struct visit *from)
{
	struct visit visit = *from;

	from->fd = -1;
	from->wire = NULL;
	from->bytes = from->capacity = 0;
	return visit;
}

void
flow_refuse(struct flow *flow, enum refusal reason)
{
	struct station *station = flow->station;
	struct visit visit;

	flow_log_refused(flow, reason, refuse_alert(reason));
	watch_wipe(&flow->client);
	visit = take_visit(&flow->visit);
	dissolve(flow);
	lingering_refuse(station, &visit, reason, refuse_alert(reason));
}

/* ---- the client, while it is held ---- */

/* A FIN is passed on when there is somebody to pass it on to; a reset is the end. */
static void
on_client(void *arg, unsigned ready)
{
	struct flow *flow = arg;

	(void)ready;
	switch (visit_read(&flow->visit, flow->visit.hello.wire_bytes + MORE_BYTES)) {
	case VISIT_GOT:
	case VISIT_WAIT:
		return;
	case VISIT_FULL:
	case VISIT_END:
		watch_want(&flow->client, WATCH_NOTHING);
		return;
	case VISIT_RESET:
		end(flow, "client-gone");
		return;
	case VISIT_MEMORY:
		flow_refuse(flow, REFUSE_OVER_LIMIT);
		return;
	}
}

static void
on_whole(void *arg)
{
	struct flow *flow = arg;

	flow_refuse(flow, REFUSE_NO_AGENT);
}

/* ---- the way ---- */

static bool
offers(void *arg, const char *protocol)
{
	const struct flow *flow = arg;

	return flow->visit.hello.verdict == CLIENTHELLO_COMPLETE &&
	    clienthello_offers_alpn(&flow->visit.hello, flow->visit.wire, protocol);
}

static void
on_route(void *arg, const struct route_answer *answer)
{
	struct flow *flow = arg;

	memcpy(flow->route, answer->pattern, sizeof(flow->route));
	switch (answer->verdict) {
	case ROUTE_FIXED:
		flow_fixed_begin(flow, answer);
		break;
	case ROUTE_AGENT:
		flow_agent_begin(flow, answer);
		break;
	case ROUTE_NO_AGENT:
		flow_refuse(flow, flow->at_limit ? REFUSE_OVER_LIMIT : REFUSE_NO_AGENT);
		break;
	case ROUTE_NONE:
	case ROUTE_LATER:
		flow_refuse(flow, flow->attempts > 0 ? REFUSE_NO_AGENT : REFUSE_UNKNOWN_NAME);
		break;
	}
}

/* The flow may have ended meanwhile; then only this answer has kept it. */
static void
on_late_route(void *arg, const struct route_answer *answer)
{
	struct flow *flow = arg;

	flow->is_asking = false;
	if (flow->state == FLOW_LOOKING) {
		on_route(flow, answer);
		return;
	}
	route_fixed_release(answer->fixed);
	member_release(answer->member);
	loop_later(flow->station->loop, &flow->reap);
}

static void
look_up(struct flow *flow, const char *name)
{
	struct route_question question = { .name = name, .offers = offers, .arg = flow,
	    .tried_count = flow->tried_count, .only_fixed = flow->visit.is_second_choice };
	struct route_answer answer;

	for (unsigned i = 0; i < flow->tried_count; i++) {
		question.tried[i] = flow->tried[i];
		question.barred[i] = flow->barred[i];
	}
	flow->is_asking = true;
	if (route_find(flow->station->relay->routes, &question, &answer, on_late_route, flow) == ROUTE_LATER)
		return;
	flow->is_asking = false;
	on_route(flow, &answer);
}

void
flow_look_up(struct flow *flow)
{
	look_up(flow, flow->visit.hello.server_name);
}

/* ---- joined ---- */

static const char *
word_of(const struct flow *flow, enum pump_end how)
{
	if (how == PUMP_RESET_A)
		return "client-reset";
	if (how == PUMP_RESET_B)
		return flow->fixed != NULL ? "upstream-reset" : "agent-reset";
	return pump_end_word(how);
}

static void
on_over(void *arg, enum pump_end how)
{
	struct flow *flow = arg;

	end(flow, flow->reason != NULL ? flow->reason : word_of(flow, how));
}

/* The client's stream as the far side is to see it. */
static struct stream *
client_stream(struct flow *flow, const void *front, size_t front_bytes, size_t from)
{
	struct visit *visit = &flow->visit;
	struct stream *stream = stream_socket(visit->fd);

	visit->fd = -1;
	if (stream == NULL)
		return NULL;
	if (stream_unread(stream, visit->wire + from, visit->bytes - from) &&
	    stream_unread(stream, front, front_bytes)) {
		visit_forget_bytes(visit);
		return stream;
	}
	stream_reset(stream);
	stream_free(stream);
	return NULL;
}

void
flow_join(struct flow *flow, struct stream *far, const void *front, size_t front_bytes, size_t from)
{
	struct pump_settings settings = { .half_closed_ms = flow->rules->settings.half_closed_ms,
	    .idle_ms = flow->fixed != NULL ? route_fixed_facts(flow->fixed)->idle_ms : 0 };
	struct stream *near;

	watch_wipe(&flow->client);
	timer_clear(&flow->attempt);
	timer_clear(&flow->whole);
	near = far != NULL ? client_stream(flow, front, front_bytes, from) : NULL;
	if (near != NULL)
		flow->pump = pump_new(flow->station->loop, near, far, &settings, on_over, flow);
	else
		stream_free(far);
	if (flow->pump == NULL) {
		end(flow, "memory-short");
		return;
	}
	flow->ready_us = clock_us();
	flow_move(flow, FLOW_JOINED);
}

/* ---- from outside ---- */

/* Expiry ends sessions, not what they have joined; all else that a certificate can come to does. */
static void
judge(struct flow *flow, struct trust *trust, int64_t now)
{
	struct verdict verdict;

	if (flow->member == NULL || identity_judge_again(member_identity(flow->member), trust, now, &verdict))
		return;
	if (verdict.code == VERIFY_EXPIRED && flow->state == FLOW_JOINED)
		return;
	if (flow->state != FLOW_JOINED) {
		flow_agent_give_up(flow, verify_code_word(verdict.code));
		return;
	}
	flow->reason = verify_code_word(verdict.code);
	pump_stop(flow->pump);
}

void
flow_judge_all(struct station *station, struct trust *trust, int64_t now)
{
	struct flow *next;

	for (struct flow *flow = LIST_FIRST(&station->flows); flow != NULL; flow = next) {
		next = LIST_NEXT(flow, link);
		judge(flow, trust, now);
	}
}

void
flow_cut_all(struct station *station, const char *reason)
{
	struct flow *flow;

	while ((flow = LIST_FIRST(&station->flows)) != NULL) {
		if (flow->visit.fd >= 0)
			socket_reset_on_close(flow->visit.fd);
		end(flow, reason);
	}
}

static bool
is_within_limits(struct flow *flow)
{
	enum limits_verdict verdict = limits_enter(flow->station->relay->limits, &flow->visit.client);

	flow->is_counted = verdict == LIMITS_OK;
	if (!flow->is_counted)
		snprintf(flow->trouble, sizeof(flow->trouble), "%s is reached", limits_key(verdict));
	return flow->is_counted;
}

void
flow_start(struct station *station, struct visit *visit, const char *name)
{
	struct flow *flow = calloc(1, sizeof(*flow));

	if (flow == NULL) {
		visit_wipe(visit);
		return;
	}
	flow->station = station;
	flow->rules = rules_hold(station->rules);
	flow->visit = take_visit(visit);
	flow_id_make(&station->relay->flow_ids, flow->id);
	LIST_INSERT_HEAD(&station->flows, flow, link);
	task_init(&flow->reap, reap, flow);
	timer_init(&flow->whole, station->loop, on_whole, flow);
	watch_init(&flow->client, station->loop, flow->visit.fd, on_client, flow);
	if (flow->visit.hello.verdict == CLIENTHELLO_COMPLETE)
		ja4_compute(flow->ja4, &flow->visit.hello, flow->visit.wire);
	if (!is_within_limits(flow)) {
		flow_refuse(flow, REFUSE_OVER_LIMIT);
		return;
	}
	timer_set(&flow->whole, WHOLE_MS);
	watch_want(&flow->client, WATCH_READ);
	look_up(flow, name);
}
