/* The life of a forwarded connection: dialled, joined, judged again, over. */
#include "agent/forward_flow.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/forward.h"
#include "agent/upstream_dial.h"
#include "agent/upstream_judge.h"
#include "base/admin.h"
#include "base/clock.h"
#include "base/listing.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/units.h"
#include "tunnel/code.h"

enum state { DIALLING, JOINED, OVER, STATES };

struct forward_flow {
	LIST_ENTRY(forward_flow) link;
	LIST_ENTRY(forward_flow) beside; /* in the place of all */
	const struct forward_flow_context *context;
	struct forward *forward; /* held */
	enum state state;
	uint8_t id[FLOW_ID_BYTES];
	struct address client; /* a local socket's has no path */
	struct ucred user;     /* who connected, where the kernel says; pid 0: it does not */
	struct stream *stream; /* the client's, until the pump owns it */
	struct upstream_dial *dial;
	struct pump *pump;
	struct identity *identity; /* of the server's certificate */
	struct spki_pin key;       /* likewise */
	const char *reason, *version;
	char *detail; /* a sentence about the failure; NULL: none */
	uint64_t opened_at_ms;
	int64_t ready_ms; /* -1 before the join */
	struct task reap;
};

static const char *const state_name[STATES] = { "dialling", "joined", "over" };

/* The only writer of ->state. */
static void
move(struct forward_flow *flow, enum state to)
{
	static const unsigned may_move[STATES] = {
		[DIALLING] = 1u << JOINED | 1u << OVER,
		[JOINED] = 1u << OVER,
	};

	assert(may_move[flow->state] & 1u << to);
	log_move("forward", log_hex("flow", flow->id, FLOW_ID_BYTES), state_name[flow->state],
	    state_name[to]);
	flow->state = to;
}

/* ---- the end ---- */

static void
log_close(const struct forward_flow *flow)
{
	char client[ADDRESS_TEXT];
	uint64_t bytes_in = flow->pump ? pump_bytes_from_a(flow->pump) : 0;
	uint64_t bytes_out = flow->pump ? pump_bytes_from_b(flow->pump) : 0;
	struct log_field fields[] = {
		log_hex("flow", flow->id, FLOW_ID_BYTES),
		log_str("client", address_text(&flow->client, client)),
		log_str("server_name", flow->forward->server_name),
		log_str("forward", flow->forward->name),
		log_str("mode", "forward"),
		log_str("upstream", flow->forward->upstream.targets[0].url.target),
		log_u64("bytes_in", bytes_in),
		log_u64("bytes_out", bytes_out),
		log_u64("duration_ms", clock_ms() - flow->opened_at_ms),
		log_i64("ready_ms", flow->ready_ms),
		log_str("reason", flow->reason),
		log_str("silent", pump_silent_side(flow->pump, "client", "upstream")),
		log_str("tls", flow->version),
		log_i64("uid", (int64_t)flow->user.uid),
		log_i64("pid", flow->user.pid),
		{ 0 },
	};

	if (flow->user.pid == 0) /* both come last */
		fields[sizeof fields / sizeof *fields - 3] = (struct log_field){ 0 };
	if (flow->ready_ms < 0)
		log_write_limited(LOG_INFO, "flow-closed", &flow->client, flow->detail, fields);
	else
		log_write(LOG_INFO, "flow-closed", flow->detail, fields);
}

static void
on_reap(void *arg)
{
	struct forward_flow *flow = arg;

	log_close(flow);
	flow->context->on_over(flow->context->arg, flow);
}

static void
end(struct forward_flow *flow, const char *reason, const char *detail)
{
	if (flow->state == OVER)
		return;
	move(flow, OVER);
	if (flow->stream)
		stream_reset(flow->stream);
	if (!flow->reason)
		flow->reason = reason;
	if (detail && !flow->detail)
		flow->detail = strdup(detail); /* without it the line has one word less */
	loop_later(flow->context->loop, &flow->reap);
}

static void
leave_place(struct forward_flow *flow)
{
	struct forward_flow_place *place = flow->context->place;

	if (!place)
		return;
	list_walks_step_over(&place->walks, flow, LIST_NEXT(flow, beside));
	LIST_REMOVE(flow, beside);
}

void
forward_flow_free(struct forward_flow *flow)
{
	if (!flow)
		return;
	if (flow->state != OVER) {
		flow->reason = "agent-stopped";
		log_close(flow);
		if (flow->stream)
			stream_reset(flow->stream);
	}
	LIST_REMOVE(flow, link);
	leave_place(flow);
	loop_forget(flow->context->loop, &flow->reap);
	upstream_dial_free(flow->dial);
	pump_free(flow->pump);
	stream_free(flow->stream);
	if (flow->identity)
		identity_release(flow->identity);
	forward_release(flow->forward);
	free(flow->detail);
	free(flow);
}

struct forward_flow *
forward_flow_next(struct forward_flow *flow)
{
	return LIST_NEXT(flow, link);
}

/* ---- joining ---- */

/* In TLS 1.3 a server judges our certificate when the handshake is done for us, so that its refusal comes
 * here. */
static const char *
end_word(const struct forward_flow *flow, enum pump_end how)
{
	if (how == PUMP_RESET_A)
		return "client-reset";
	if (how == PUMP_RESET_B)
		return pump_fault(flow->pump) ? "upstream-tls-failed" : "upstream-reset";
	return pump_end_word(how);
}

static void
on_pumped(void *arg, enum pump_end how)
{
	struct forward_flow *flow = arg;

	end(flow, end_word(flow, how), how == PUMP_RESET_B ? pump_fault(flow->pump) : NULL);
}

static void
join(struct forward_flow *flow, struct stream *server)
{
	struct pump_settings bounds = flow->forward->bounds;

	bounds.stalls = flow->context->stalls;
	move(flow, JOINED);
	flow->ready_ms = (int64_t)(clock_ms() - flow->opened_at_ms);
	flow->pump = pump_new(flow->context->loop, flow->stream, server, &bounds, on_pumped, flow);
	flow->stream = NULL;
	if (!flow->pump)
		end(flow, code_word(CODE_INTERNAL), "memory is short");
}

static void
log_refused(const struct forward_flow *flow, const struct upstream_judge *judge)
{
	const struct peer_check *check = &judge->chain;
	const struct log_field fields[] = {
		log_str("code",
		    check->has_refused ? verify_code_word(check->verdict.code) : "key-not-pinned"),
		log_hex("flow", flow->id, FLOW_ID_BYTES),
		log_str("server_name", flow->forward->server_name),
		log_str("forward", flow->forward->name),
		log_str("upstream", flow->forward->upstream.targets[0].url.target),
		log_str("subject", check->subject[0] ? check->subject : NULL),
		log_str("issuer", check->issuer[0] ? check->issuer : NULL),
		log_str("sha256", check->fingerprint[0] ? check->fingerprint : NULL),
		{ 0 },
	};

	log_write_limited(LOG_WARNING, "server-refused", NULL, judge->refusal, fields);
}

static void
on_dial_failed(struct forward_flow *flow, const char *error)
{
	const struct upstream_judge *judge = upstream_dial_judge(flow->dial);
	const char *reason =
	    upstream_dial_is_short(flow->dial) ? "connect-short" : code_word(CODE_UPSTREAM_DOWN);

	if (judge->refusal[0]) {
		log_refused(flow, judge);
		reason = judge->chain.has_refused ? verify_code_word(judge->chain.verdict.code)
						  : "key-not-pinned";
	}
	end(flow, reason, error);
}

static void
on_dialled(void *arg, struct stream *server, const char *error)
{
	struct forward_flow *flow = arg;
	const struct upstream_judge *judge = upstream_dial_judge(flow->dial);

	if (!server)
		on_dial_failed(flow, error);
	else {
		flow->identity = identity_hold(judge->chain.identity);
		flow->key = judge->key;
		flow->version = tls_version(upstream_dial_tls(flow->dial));
		join(flow, server);
	}
	upstream_dial_free(flow->dial);
	flow->dial = NULL;
}

/* ---- the beginning ---- */

static bool
dial(struct forward_flow *flow)
{
	const struct forward *forward = flow->forward;
	const struct upstream_dial_options options = {
		.upstream = &forward->upstream,
		.egress = forward->egress,
		.timeout_ms = forward->upstream.connect_ms,
		.alpn = forward->alpn,
		.forgives_truncation = forward->forgives_truncation,
	};

	flow->dial = upstream_dial_new(
	    flow->context->loop, flow->context->resolver, &options, on_dialled, flow);
	return flow->dial != NULL;
}

static void
note_client(struct forward_flow *flow, int fd, const struct address *peer)
{
	socklen_t bytes = sizeof flow->user;

	flow->client = *peer;
	if (peer->as.any.sa_family == AF_UNIX &&
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &flow->user, &bytes) < 0)
		flow->user.pid = 0;
}

struct forward_flow *
forward_flow_new(const struct forward_flow_context *context, struct forward *forward, int fd,
    const struct address *peer, struct forward_flow_list *list)
{
	struct forward_flow *flow = calloc(1, sizeof *flow);

	if (!flow) {
		memory_short("a connection to a forward");
		close(fd);
		return NULL;
	}
	flow->context = context;
	flow->forward = forward_hold(forward);
	flow->opened_at_ms = clock_ms();
	flow->ready_ms = -1;
	arc4random_buf(flow->id, sizeof flow->id);
	note_client(flow, fd, peer);
	task_init(&flow->reap, on_reap, flow);
	LIST_INSERT_HEAD(list, flow, link);
	if (context->place)
		LIST_INSERT_HEAD(&context->place->flows, flow, beside);
	flow->stream = stream_socket(fd);
	if (!flow->stream || !dial(flow))
		end(flow, code_word(CODE_INTERNAL), "memory is short");
	return flow;
}

/* ---- as rows ---- */

static void *
next_beside(void *flow)
{
	return LIST_NEXT((struct forward_flow *)flow, beside);
}

static json_t *
describe(const struct forward_flow *flow)
{
	const struct forward *forward = flow->forward;
	const struct pump *pump = flow->pump;
	char id[2 * FLOW_ID_BYTES + 1], client[ADDRESS_TEXT];

	return json_pack(
	    "{s:s, s:s, s:o?, s:n, s:o?, s:n, s:o?, s:n, s:s, s:I, s:I, s:I, s:o, s:I, s:n}",
	    "flow", hex_encode(id, flow->id, sizeof flow->id), "client",
	    address_text(&flow->client, client), "server_name", admin_text(forward->server_name),
	    "endpoint", "forward", admin_text(forward->name), "relay", "upstream",
	    admin_text(forward->upstream.targets[0].url.target), "carrier", "state",
	    state_name[flow->state], "bytes_in", (json_int_t)(pump ? pump_bytes_from_a(pump) : 0),
	    "bytes_out", (json_int_t)(pump ? pump_bytes_from_b(pump) : 0), "age_ms",
	    (json_int_t)(clock_ms() - flow->opened_at_ms), "ready_ms",
	    flow->ready_ms < 0 ? json_null() : json_integer(flow->ready_ms), "stalled_ms",
	    (json_int_t)(pump ? pump_stalled_ms(pump) : 0), "client_certificate");
}

bool
forward_flow_list_step(void *arg, struct listing_step *step)
{
	struct forward_flow_place *place = arg;
	struct forward_flow *flow;

	if (!listing_enter(step, &place->walks, LIST_FIRST(&place->flows)))
		return true;
	while ((flow = listing_next(step, next_beside)))
		json_array_append_new(step->rows, describe(flow));
	return listing_leave(step);
}

/* ---- judged again ---- */

static void
cut(struct forward_flow *flow, const char *reason, const char *sentence)
{
	flow->reason = reason;
	log_audit(LOG_WARNING, "flow-cut", sentence, log_hex("flow", flow->id, FLOW_ID_BYTES),
	    log_str("server_name", flow->forward->server_name),
	    log_str("forward", flow->forward->name), log_str("reason", reason));
	pump_stop(flow->pump);
}

void
forward_flow_judge_again(struct forward_flow *flow, const struct forward *now, int64_t now_s)
{
	bool is_same = strcmp(now->server_name, flow->forward->server_name) == 0;
	const struct upstream *upstream = is_same ? &now->upstream : &flow->forward->upstream;
	struct verdict verdict;

	if (flow->state != JOINED || flow->reason)
		return;
	if (!identity_judge_again(flow->identity, upstream->trust, now_s, &verdict) &&
	    verdict.code != VERIFY_EXPIRED)
		cut(flow, verify_code_word(verdict.code), verdict.sentence);
	else if (!upstream_judge_takes(upstream, &flow->key))
		cut(flow, "key-not-pinned", "spki was changed, and does not list the server's key");
}
