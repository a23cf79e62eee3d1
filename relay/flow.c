/* A flow's life: its look-up, the way to a static upstream, its joined time and its end. */
#include "relay/flow.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/address_rules.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/shares.h"
#include "base/socket.h"
#include "base/units.h"
#include "pki/verify.h"
#include "relay/arrival.h"
#include "relay/agent_fields.h"
#include "relay/flow_hello.h"
#include "relay/flow_metrics.h"
#include "relay/flow_private.h"
#include "relay/flow_starttls.h"
#include "relay/flow_wait.h"
#include "relay/handover.h"
#include "relay/name_flows.h"
#include "relay/pending.h"
#include "relay/refuse.h"
#include "relay/rules.h"
#include "relay/session_ref.h"
#include "relay/shared.h"
#include "tunnel/channel.h"
#include "tunnel/pump.h"
#include "tunnel/stream.h"

enum { WHOLE_MS = 10000, MORE_BYTES = 16384 };

const char *const flow_state_name[FLOW_STATES] = {
	[FLOW_LOOKING] = "looking",
	[FLOW_WAITING] = "waiting",
	[FLOW_TAKING] = "taking",
	[FLOW_OPENING] = "opening",
	[FLOW_CONNECTING] = "connecting",
	[FLOW_JOINED] = "joined",
	[FLOW_OVER] = "over",
};

static const unsigned may_move[FLOW_STATES] = {
	[FLOW_LOOKING] =
	    1u << FLOW_WAITING | 1u << FLOW_TAKING | 1u << FLOW_CONNECTING | 1u << FLOW_OVER,
	[FLOW_WAITING] = 1u << FLOW_LOOKING | 1u << FLOW_OVER,
	[FLOW_TAKING] = 1u << FLOW_OPENING | 1u << FLOW_LOOKING | 1u << FLOW_OVER,
	[FLOW_OPENING] = 1u << FLOW_JOINED | 1u << FLOW_LOOKING | 1u << FLOW_OVER,
	[FLOW_CONNECTING] = 1u << FLOW_JOINED | 1u << FLOW_OVER,
	[FLOW_JOINED] = 1u << FLOW_OVER,
};

void
flow_move(struct flow *flow, enum flow_state to)
{
	assert(may_move[flow->state] & 1u << to);
	log_move("flow", log_hex("flow", flow->id, sizeof flow->id), flow_state_name[flow->state],
	    flow_state_name[to]);
	flow_metrics_move(flow, (int)to);
	flow->state = (uint8_t)to;
}

/* Nothing of it is in the loop any more. */
static void
empty_way(struct flow *flow)
{
	struct flow_way *way = flow->way;

	flow_starttls_wipe(flow);
	watch_wipe(&way->client);
	timer_clear(&way->attempt);
	timer_clear(&way->whole);
	flow_hello_leave(flow);
	connector_free(way->connector);
	shares_leave(way->asking);
	flow_wait_end(flow);
	route_cancel(way->looking);
	pool_cancel(way->request);
	channel_free(way->channel);
	for (unsigned i = 0; i < way->tried_count; i++)
		session_ref_release(way->tried[i]);
	conn_wipe(&way->conn);
	rules_release(way->rules);
}

static void
reap(void *arg)
{
	struct flow *flow = arg;

	free(flow->way);
	free(flow);
}

/* Gives back all that it holds.  In the loop only the reaping is left, and of a joined flow nothing:
 * whoever called it is the pump, which has a reaping of its own. */
static void
dissolve(struct flow *flow)
{
	struct worker_context *worker = flow->worker;

	flow_wait_leave(flow);
	flow_move(flow, FLOW_OVER);
	list_walks_step_over(&worker->walks, flow, LIST_NEXT(flow, link));
	LIST_REMOVE(flow, link);
	pump_free(flow->pump);
	flow->pump = NULL;
	if (flow->way)
		empty_way(flow);
	flow_agent_leave(flow);
	flow_static_leave(flow);
	route_static_release(flow->static_route);
	name_flows_leave(worker->shared->name_flows, flow->name_place);
	shares_leave(flow->place);
	if (flow->way)
		loop_later(worker->loop, &flow->way->reap);
	else
		free(flow);
}

static void
end(struct flow *flow, const char *reason)
{
	struct worker_context *worker = flow->worker;

	flow_log_closed(flow, reason);
	flow_metrics_closed(flow, reason);
	dissolve(flow);
	worker_shrank(worker);
}

static struct conn
take_conn(struct conn *from)
{
	struct conn conn = *from;

	from->fd = -1;
	from->wire = NULL;
	from->told = NULL;
	from->bytes = from->capacity = 0;
	return conn;
}

void
flow_refuse(struct flow *flow, enum refusal reason)
{
	struct worker_context *worker = flow->worker;
	const struct refuse_rule *rule;
	struct conn conn;

	if (reason == REFUSE_DENIED)
		atomic_fetch_add(&worker->shared->denied, 1);
	flow_log_refused(flow, reason, refuse_alert(reason));
	flow_metrics_refused(flow, reason);
	watch_wipe(&flow->way->client);
	conn = take_conn(&flow->way->conn);
	dissolve(flow);
	rule = &worker->rules->settings.rules[reason];
	if (!refuse_conn(&worker->lingers, &conn, rule, refuse_alert(reason)))
		flow_start(worker, &conn, rule->route);
	worker_shrank(worker); /* only now: meanwhile the client is in no list */
}

void
flow_refuse_because(struct flow *flow, enum refusal reason, const char *trouble)
{
	snprintf(flow->way->trouble, sizeof flow->way->trouble, "%s", trouble);
	flow_refuse(flow, reason);
}

/* ---- the client, while it is held ---- */

static const char memory_is_short[] = "memory is short";

/* More has been read of it. */
static void
weigh(struct flow *flow, bool is_full)
{
	if (!flow_hello_weigh(flow, is_full))
		flow_refuse_because(flow, REFUSE_OVER_LIMIT, memory_is_short);
}

/* A FIN is passed on once there is a far side; a reset ends the flow. */
static void
on_client(void *arg, unsigned ready)
{
	struct flow *flow = arg;
	struct conn *conn = &flow->way->conn;
	enum conn_io io;

	(void)ready;
	do
		io = conn_read(conn, conn->hello.wire_bytes + MORE_BYTES);
	while (io == CONN_GOT && !conn->is_dry);
	switch (io) {
	case CONN_WAIT:
	case CONN_GOT:
		weigh(flow, false);
		return;
	case CONN_FULL:
	case CONN_END:
		watch_want(&flow->way->client, WATCH_NOTHING);
		weigh(flow, io == CONN_FULL);
		return;
	case CONN_RESET:
		end(flow, "client-gone");
		return;
	case CONN_MEMORY:
		flow_refuse_because(flow, REFUSE_OVER_LIMIT, memory_is_short);
		return;
	}
}

static void
on_whole(void *arg)
{
	struct flow *flow = arg;

	if (flow->way->looking)
		snprintf(flow->way->trouble, sizeof flow->way->trouble,
		    "the registry did not say who has this name");
	flow_refuse(flow, REFUSE_NO_AGENT);
}

/* ---- the way ---- */

static enum refusal
refusal_of(const struct flow *flow, enum route_reason reason)
{
	switch (reason) {
	case ROUTE_UNKNOWN:
	case ROUTE_UNMET:
		return flow->attempts > 0 ? REFUSE_NO_AGENT : REFUSE_UNKNOWN_NAME;
	case ROUTE_DENIED:
		return REFUSE_DENIED;
	case ROUTE_NOBODY:
	case ROUTE_IN_VAIN:
		return flow_agent_refusal(flow);
	case ROUTE_LIMIT:
		break;
	}
	return REFUSE_OVER_LIMIT;
}

static void
refuse_hop(struct flow *flow, const struct registry_relay *relay)
{
	snprintf(flow->way->trouble, sizeof flow->way->trouble,
	    "the relay '%.64s' has the agent, and this one passes nothing on to other relays",
	    relay->name);
	flow_refuse(flow, REFUSE_NO_AGENT);
}

/* Counts the flow for its name, once: another agent may be looked for later. */
static bool
is_name_within_limits(struct flow *flow)
{
	struct shared *shared = flow->worker->shared;
	const char *trouble;

	if (flow->name_place || flow->way->route[0] == '\0')
		return true;
	trouble = arrival_of_name(shared->rates, flow->way->route);
	if (!trouble)
		flow->name_place = name_flows_enter(shared->name_flows, flow->way->route,
		    flow->worker->rules->settings.limits.flows_per_name, &trouble);
	if (!flow->name_place)
		snprintf(flow->way->trouble, sizeof flow->way->trouble, "%s", trouble);
	return flow->name_place;
}

static void
give_back(const struct route_answer *answer)
{
	if (answer->verdict == ROUTE_STATIC)
		route_static_release(answer->static_route);
	else if (answer->verdict == ROUTE_AGENT)
		session_ref_release(answer->session_ref);
}

static void
explain(struct flow *flow, enum route_reason reason)
{
	if (reason == ROUTE_UNMET)
		snprintf(flow->way->trouble, sizeof flow->way->trouble,
		    "the alpn, sources or listeners of its static routes do not fit");
	if (reason == ROUTE_DENIED)
		snprintf(flow->way->trouble, sizeof flow->way->trouble,
		    "allow and deny of every agent that serves it do not let this address in");
}

static void
begin_static(struct flow *flow, const struct route_answer *answer)
{
	const struct address from = flow_client(flow);

	if (address_rules_admit(route_static_config(answer->static_route)->addresses, &from)) {
		flow_static_begin(flow, answer);
		return;
	}
	route_static_release(answer->static_route);
	flow_refuse_because(
	    flow, REFUSE_DENIED, "allow and deny of its static route do not let this address in");
}

/* To the process that takes over from this one, which may have the agent by now. */
static bool
pass_on(struct flow *flow)
{
	struct worker_context *worker = flow->worker;
	struct conn conn;

	if (!handover_send(worker->shared->handover, &flow->way->conn))
		return false;
	watch_wipe(&flow->way->client);
	conn = take_conn(&flow->way->conn);
	dissolve(flow);
	handover_let_go(worker->loop, &conn);
	worker_shrank(worker);
	return true;
}

/* Whether another process may know better: it has none of the limits that are reached here. */
static bool
is_for_want_of_agents(enum route_reason reason)
{
	return reason == ROUTE_UNKNOWN || reason == ROUTE_DENIED || reason == ROUTE_NOBODY ||
	    reason == ROUTE_IN_VAIN;
}

static void
on_route(struct flow *flow, const struct route_answer *answer)
{
	memcpy(flow->way->route, answer->pattern, sizeof flow->way->route);
	if (answer->verdict != ROUTE_NONE)
		flow_wait_end(flow);
	if (!is_name_within_limits(flow)) {
		give_back(answer);
		flow_refuse(flow, REFUSE_OVER_LIMIT);
		return;
	}
	switch (answer->verdict) {
	case ROUTE_STATIC:
		begin_static(flow, answer);
		break;
	case ROUTE_AGENT:
		flow_agent_begin(flow, answer);
		break;
	case ROUTE_RELAY:
		refuse_hop(flow, &answer->relay);
		break;
	case ROUTE_NONE:
	case ROUTE_LATER:
		if (is_for_want_of_agents(answer->reason) && pass_on(flow))
			break;
		explain(flow, answer->reason);
		if (answer->reason != ROUTE_NOBODY || !flow_wait(flow))
			flow_refuse(flow, refusal_of(flow, answer->reason));
		break;
	}
}

static void
on_late_route(void *arg, const struct route_answer *answer)
{
	struct flow *flow = arg;

	flow->way->looking = NULL;
	on_route(flow, answer);
}

static size_t
offered_alpn(const struct flow *flow, uint8_t alpn[ROUTE_ALPN_MOST])
{
	const struct clienthello *hello = &flow->way->conn.hello;
	size_t bytes;

	if (hello->verdict != CLIENTHELLO_COMPLETE || !hello->has_alpn)
		return 0;
	bytes = clienthello_copy(&hello->alpn, flow->way->conn.wire, alpn, ROUTE_ALPN_MOST);
	return bytes < ROUTE_ALPN_MOST ? bytes : ROUTE_ALPN_MOST;
}

/* An ACME server asks the one who asked for it, whomever else the name leads to. */
static bool
is_for_challenge(
    struct flow *flow, const struct route_question *question, struct route_answer *answer)
{
	const struct conn *conn = &flow->way->conn;

	return pendings_are_any(flow->worker->shared->pendings) && !question->only_static &&
	    conn->hello.verdict == CLIENTHELLO_COMPLETE &&
	    clienthello_offers_only_alpn(&conn->hello, conn->wire, PENDING_PROTOCOL) &&
	    pending_find(flow->worker->shared->pendings, question, answer);
}

static void
look_up(struct flow *flow, const char *name)
{
	uint8_t alpn[ROUTE_ALPN_MOST];
	struct route_question question = { .name = name,
		.alpn = alpn,
		.alpn_bytes = offered_alpn(flow, alpn),
		.client = flow->client,
		.listener = flow->way->conn.listener,
		.tried_count = flow->way->tried_count,
		.only_static = flow->way->conn.is_second_choice,
		.loop = flow->worker->loop };
	struct route_answer answer;

	for (unsigned i = 0; i < flow->way->tried_count; i++) {
		question.tried[i] = flow->way->tried[i];
		question.excluded[i] = flow->way->excluded[i];
	}
	flow->way->arrivals = flow_wait_arrivals(flow->worker);
	if (is_for_challenge(flow, &question, &answer) ||
	    route_find(flow->worker->shared->routes, &question, &answer, on_late_route, flow,
		&flow->way->looking) != ROUTE_LATER)
		on_route(flow, &answer);
}

void
flow_look_up(struct flow *flow)
{
	look_up(flow, flow->way->conn.hello.server_name);
}

/* ---- joined ---- */

/* What the agent resets is as a rule what its upstream has reset: one word, in both logs. */
static const char *
word_of(enum pump_end how)
{
	if (how == PUMP_RESET_A)
		return "client-reset";
	if (how == PUMP_RESET_B)
		return "upstream-reset";
	return pump_end_word(how);
}

static void
on_over(void *arg, enum pump_end how)
{
	struct flow *flow = arg;

	end(flow, how == PUMP_STOPPED && flow->reason ? flow->reason : word_of(how));
}

/* The client's stream as the far side must see it: `front`, then the held bytes from `from` on,
 * then the rest. */
static struct stream *
client_stream(struct flow *flow, const void *front, size_t front_bytes, size_t from)
{
	struct conn *conn = &flow->way->conn;
	struct stream *stream = stream_socket(conn->fd);

	conn->fd = -1;
	if (!stream)
		return NULL;
	stream->is_dry_behind = conn->is_dry;
	if (stream_unread(stream, conn->wire + from, conn->bytes - from) &&
	    stream_unread(stream, front, front_bytes)) {
		conn_forget_bytes(conn);
		return stream;
	}
	stream_reset(stream);
	stream_free(stream);
	return NULL;
}

/* A static route has times of its own. */
static struct pump_settings
patience_of(const struct flow *flow)
{
	const struct settings *settings = &flow->way->rules->settings;
	const struct route_static_settings *route =
	    flow->static_route ? route_static_config(flow->static_route) : NULL;

	return (struct pump_settings){ .half_closed_ms = settings->half_closed_ms,
		.idle_ms = route ? route->idle_ms : 0,
		.stall_ms = route ? route->stall_ms : settings->stall_ms,
		.stalls = &flow->worker->stalls };
}

void
flow_join(struct flow *flow, struct stream *far, const void *front, size_t front_bytes, size_t from)
{
	struct pump_settings settings = patience_of(flow);
	struct stream *near;

	if (!far) {
		flow_refuse_because(flow, REFUSE_NO_AGENT,
		    "the far side was lost when it was to be joined, or memory is short");
		return;
	}
	watch_hand_on(&flow->way->client);
	timer_clear(&flow->way->attempt);
	timer_clear(&flow->way->whole);
	near = client_stream(flow, front, front_bytes, from);
	if (near)
		flow->pump = pump_new(flow->worker->loop, near, far, &settings, on_over, flow);
	else {
		stream_reset(far);
		stream_free(far);
	}
	if (!flow->pump) {
		end(flow, "memory-short");
		return;
	}
	flow->ready_ms = (int32_t)((clock_us() - flow->accepted_us) / 1000);
	flow_metrics_joined(flow);
	empty_way(flow);
	free(flow->way);
	flow->way = NULL;
	flow_move(flow, FLOW_JOINED);
}

/* ---- from outside ---- */

/* Expiry ends the session but not its joined flows; any other fault of the certificate ends those,
 * too. */
static void
judge(struct flow *flow, struct trust *trust, int64_t now)
{
	struct verdict verdict;

	if (!flow->session_ref ||
	    identity_judge_again(session_ref_identity(flow->session_ref), trust, now, &verdict))
		return;
	if (verdict.code == VERIFY_EXPIRED && flow->state == FLOW_JOINED)
		return;
	if (flow->state != FLOW_JOINED) {
		flow_agent_give_up(flow, verify_code_word(verdict.code));
		return;
	}
	flow->reason = verify_code_word(verdict.code);
	log_audit(LOG_WARNING, "flow-cut", verdict.sentence,
	    log_hex("flow", flow->id, sizeof flow->id), log_agent(flow_identity(flow)),
	    log_str("server_name", flow_server_name(flow)), log_str("reason", flow->reason));
	pump_stop(flow->pump);
}

void
flow_judge_all(struct worker_context *worker, struct trust *trust, int64_t now)
{
	struct flow *next;

	for (struct flow *flow = LIST_FIRST(&worker->flows); flow; flow = next) {
		next = LIST_NEXT(flow, link);
		judge(flow, trust, now);
	}
}

void
flow_cut_all(struct worker_context *worker, const char *reason)
{
	struct flow *flow;

	while ((flow = LIST_FIRST(&worker->flows))) {
		if (flow->way && flow->way->conn.fd >= 0)
			socket_reset_on_close(flow->way->conn.fd);
		end(flow, reason);
	}
}

bool
flow_kick(struct flow *flow)
{
	static const char kicked[] = "kicked";

	if (flow->reason)
		return false; /* it ends already */
	if (flow->state == FLOW_JOINED) {
		flow->reason = kicked;
		pump_stop(flow->pump);
		return true;
	}
	if (flow->way->conn.fd >= 0)
		socket_reset_on_close(flow->way->conn.fd);
	end(flow, kicked);
	return true;
}

/* The client's block has the most flows, and somebody of another one has come. */
static void
on_displaced(void *arg)
{
	struct flow *flow = arg;

	if (flow->state == FLOW_JOINED) {
		flow->reason = flow_displaced;
		pump_stop(flow->pump);
		return;
	}
	flow_refuse_because(flow, REFUSE_OVER_LIMIT, flow_displaced_sentence);
}

/* Its own connection, and what it would be joined to, must not take what is kept for sessions. */
static bool
has_descriptors(const struct flow *flow)
{
	uint64_t kept_from = atomic_load(&flow->worker->shared->kept_from);

	return kept_from == 0 || (uint64_t)flow->way->conn.fd + 1 < kept_from;
}

static bool
is_within_limits(struct flow *flow)
{
	static const char *const troubles[] = {
		[SHARES_IN] = "",
		[SHARES_FULL] = "limits.flows is reached, and no block has more than this client's",
		[SHARES_CLIENT_FULL] = "limits.flows_per_client is reached",
		[SHARES_MEMORY] = "memory is short",
	};
	struct worker_context *worker = flow->worker;
	const struct address from = flow_client(flow);
	struct shares_entrant entrant = { worker->loop, &from, 0, on_displaced, flow };
	struct conn *conn = &flow->way->conn;
	const char *trouble = NULL;
	enum shares_verdict verdict;

	if (!conn->is_counted) /* a second choice is */
		trouble = arrival_of_flow(worker->shared->rates, &from);
	conn->is_counted = true;
	if (!trouble && !has_descriptors(flow))
		trouble = "no descriptor is left but those that are kept for agents";
	if (!trouble) {
		flow->place = shares_enter(worker->shared->flows, &entrant, &verdict);
		trouble = troubles[verdict];
	}
	if (!flow->place)
		snprintf(flow->way->trouble, sizeof flow->way->trouble, "%s", trouble);
	return flow->place;
}

struct address
flow_client(const struct flow *flow)
{
	return address_of_ip(&flow->client);
}

/* With the facts of its connection that are asked for to its end. */
static struct flow *
new_flow(const struct conn *conn)
{
	size_t name_bytes = strlen(conn->hello.server_name) + 1;
	struct flow *flow = calloc(1, sizeof *flow + name_bytes + JA4_SIZE);
	struct flow_way *way = calloc(1, sizeof *way);

	if (!flow || !way) {
		free(flow);
		free(way);
		return NULL;
	}
	flow->way = way;
	flow->client = conn->client;
	flow->accepted_us = conn->accepted_us;
	flow->hello_bytes = conn->hello.wire_bytes;
	flow->ready_ms = -1;
	memcpy(flow->names, conn->hello.server_name, name_bytes);
	if (conn->hello.verdict == CLIENTHELLO_COMPLETE)
		ja4_compute(flow->names + name_bytes, &conn->hello, conn->wire);
	return flow;
}

void
flow_start(struct worker_context *worker, struct conn *conn, const char *name)
{
	struct flow *flow = new_flow(conn);

	if (!flow) {
		memory_short("a flow");
		conn_wipe(conn);
		return;
	}
	flow->worker = worker;
	counter_add(&worker->metrics.flows, 1);
	flow->way->rules = rules_hold(worker->rules);
	flow->way->conn = take_conn(conn);
	flow_id_make(&worker->shared->flow_ids, flow->id);
	LIST_INSERT_HEAD(&worker->flows, flow, link);
	task_init(&flow->way->reap, reap, flow);
	timer_init(&flow->way->whole, worker->loop, on_whole, flow);
	watch_go_on(&flow->way->client, worker->loop, flow->way->conn.fd, on_client, flow);
	watch_set_edge(&flow->way->client);
	if (!is_within_limits(flow)) {
		flow_refuse(flow, REFUSE_OVER_LIMIT);
		return;
	}
	if (!flow_hello_weigh(flow, false)) {
		flow_refuse_because(flow, REFUSE_OVER_LIMIT, memory_is_short);
		return;
	}
	timer_set(&flow->way->whole, WHOLE_MS);
	watch_want(&flow->way->client, WATCH_READ);
	/* The intake has read to the end of the hello, and no edge tells of what stood behind it. */
	if (!flow->way->conn.is_dry)
		on_client(flow, WATCH_READ);
	if (flow->state != FLOW_OVER)
		look_up(flow, name);
}
