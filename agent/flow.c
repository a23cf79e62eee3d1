/*
 * The life of a flow: its `open` is judged, the client's handshake done, the
 * upstream dialled, the two sides joined, and the end logged.
 */
#include "agent/flow.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/endpoint_table.h"
#include "agent/open_check.h"
#include "agent/peer_check.h"
#include "agent/pooled_channel.h"
#include "agent/session_ref.h"
#include "agent/upstream_dial.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/shares.h"
#include "tunnel/channel.h"
#include "tunnel/pump.h"
#include "tunnel/standstill.h"
#include "tunnel/tls_driver.h"

enum { DETAIL_TEXT = 768, ALERT_INTERNAL_ERROR = 80, WORKING_MS = 300 };

enum agent_flow_state { OPENED, HANDSHAKING, DIALLING, JOINED, LINGERING, OVER, STATES };

static const unsigned may_move[STATES] = {
	[OPENED] = 1u << HANDSHAKING | 1u << DIALLING | 1u << OVER,
	[HANDSHAKING] = 1u << DIALLING | 1u << LINGERING | 1u << OVER,
	[DIALLING] = 1u << JOINED | 1u << LINGERING | 1u << OVER,
	[JOINED] = 1u << OVER,
	[LINGERING] = 1u << OVER,
};
static const char *const state_name[STATES] = {
	[OPENED] = "opened",
	[HANDSHAKING] = "handshaking",
	[DIALLING] = "dialling",
	[JOINED] = "joined",
	[LINGERING] = "lingering",
	[OVER] = "over",
};

/* Needed only until the two sides are joined: joined flows are many, and last. */
struct agent_flow_setup {
	struct frame_open open;
	struct pooled_channel *pooled; /* until its stream is released */
	struct stream *channel;        /* then, until TLS or the pump owns it */
	struct tls *client;            /* terminate: the client's TLS, until the pump owns it */
	struct shares_place *handshake;
	struct tls_driver driver; /* of the client's TLS: the handshake, then the linger */
	struct peer_check client_check;
	struct upstream_dial *dial;
	struct timer working;     /* when to tell the relay that the open is worked on */
	char detail[DETAIL_TEXT]; /* a sentence about the failure */
};

struct agent_flow {
	LIST_ENTRY(agent_flow) link;
	const struct agent_flow_context *context;
	struct agent_flow_setup *setup; /* NULL: joined */
	uint8_t id[FLOW_ID_BYTES];
	struct ip_address address; /* the client's, as the relay says */
	int32_t ready_ms;          /* from `open` to the join; -1 before */
	uint8_t state;             /* enum agent_flow_state */
	uint8_t carrier;           /* as the relay says */
	struct endpoint *endpoint; /* held; NULL if the relay named one that does not exist */
	struct agent_session_ref *ref;
	struct pump *pump;
	struct shares_place *place;
	struct standstill standstill;
	struct identity *identity; /* of the client's certificate */
	const char *version;       /* of the client's TLS */
	const char *reason;        /* why it ended, a stable word */
	uint64_t opened_at_ms;
	struct task reap;
	char server_name[];
};

/* While the client's TLS is not the pump's yet; NULL: it is, or there is none. */
static struct tls *
client_tls(const struct agent_flow *flow)
{
	return flow->setup ? flow->setup->client : NULL;
}

/* The only writer of ->state. */
static void
move(struct agent_flow *flow, enum agent_flow_state state)
{
	assert(may_move[flow->state] & 1u << state);
	log_move("flow", log_hex("flow", flow->id, FLOW_ID_BYTES), state_name[flow->state],
	    state_name[state]);
	flow->state = (uint8_t)state;
}

/* ---- the end ---- */

static void
log_close(const struct agent_flow *flow)
{
	const struct address from = address_of_ip(&flow->address);
	char client[ADDRESS_TEXT];
	const struct endpoint *endpoint = flow->endpoint;
	const char *detail = flow->setup && flow->setup->detail[0] ? flow->setup->detail : NULL;
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
		log_str("upstream", endpoint ? endpoint->upstream.url.target : NULL),
		log_str("relay", flow->ref->relay),
		log_u64("bytes_in", flow->pump ? pump_bytes_from_a(flow->pump) : 0),
		log_u64("bytes_out", flow->pump ? pump_bytes_from_b(flow->pump) : 0),
		log_u64("duration_ms", now - flow->opened_at_ms),
		log_i64("ready_ms", flow->ready_ms),
		log_str("reason", flow->reason),
		log_str("tls", flow->version),
		log_str(
		    "client_certificate", flow->identity ? identity_subject(flow->identity) : NULL),
		{ 0 },
	};

	/* What was never joined has cost its client no more than what is refused. */
	if (flow->ready_ms < 0)
		log_write_limited(LOG_INFO, "flow-closed", &from, detail, fields);
	else
		log_write(LOG_INFO, "flow-closed", detail, fields);
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
	timer_clear(&setup->working);
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
	stream_free(setup->channel);
	free(setup);
}

/* Where nothing tells the client that the flow is over, it must not look like its end. */
static void
reset_client(struct agent_flow *flow)
{
	if (client_tls(flow) && flow->state != LINGERING)
		stream_reset(tls_stream(client_tls(flow)));
}

/* Over, at the end of the turn, before which an answer of the upstream may be on its way; the first
 * reason counts. */
static void
end(struct agent_flow *flow, const char *reason, const char *detail)
{
	if (flow->state == OVER)
		return;
	reset_client(flow);
	move(flow, OVER);
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
	if (flow->state != OVER) {
		flow->reason = flow->reason ? flow->reason : "agent-stopped";
		log_close(flow);
		reset_client(flow);
	}
	LIST_REMOVE(flow, link);
	loop_forget(flow->context->loop, &flow->reap);
	pump_free(flow->pump);
	if (flow->setup)
		free_setup(flow->setup);
	shares_leave(flow->place);
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
	end(arg, NULL, NULL);
}

/* Nothing goes on but telling why. */
static void
give_up(struct agent_flow *flow, const char *reason, const char *detail)
{
	flow->reason = reason;
	snprintf(flow->setup->detail, DETAIL_TEXT, "%s", detail);
	stop_setup(flow->setup);
}

/* Ends a flow whose client can still be told why: with an alert (0: TLS has sent its own), then a
 * lingering close. */
static void
refuse_client(struct agent_flow *flow, unsigned alert, const char *reason, const char *detail)
{
	give_up(flow, reason, detail);
	if (alert)
		tls_alert(flow->setup->client, alert);
	move(flow, LINGERING);
	tls_driver_start(&flow->setup->driver, flow->context->loop, flow->setup->client, tls_linger,
	    TLS_LINGER_MS, on_lingered, flow);
}

/* Tells the relay; the flow is over when the channel is closed. */
static void
fail(struct agent_flow *flow, enum code code, const char *sentence, const char *detail)
{
	give_up(flow, code_word(code), detail);
	channel_fail(pooled_channel_channel(flow->setup->pooled), code, sentence);
}

/* ---- the flow's share ---- */

static const char displaced[] = "displaced";
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
	end(flow, NULL, NULL);
}

/* Whoever is told why it goes is read from until it has heard that and closes: one unread byte would make
 * the end a reset, which may overtake the word. */
static void
linger(struct agent_flow *flow)
{
	flow->place = enter(flow, flow->context->lingers, on_linger_displaced);
	if (!flow->place)
		end(flow, NULL, NULL);
}

/* The relay is told, so that it asks another agent and not this one again. */
static void
refuse_relay(struct agent_flow *flow)
{
	if (!flow->reason)
		fail(flow, CODE_FLOW_LIMIT, "limits.flows of the agent is reached",
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
	if (flow->state == OVER)
		return;
	if (flow->pump) {
		flow->reason = displaced;
		pump_stop(flow->pump);
	} else if (flow->setup->pooled) {
		refuse_relay(flow);
	} else {
		if (flow->state != LINGERING)
			refuse_client(flow, ALERT_INTERNAL_ERROR, displaced, displaced_sentence);
		linger(flow);
	}
}

static void
on_handshake_displaced(void *arg)
{
	struct agent_flow *flow = arg;

	shares_leave(flow->setup->handshake);
	flow->setup->handshake = NULL;
	if (flow->state == HANDSHAKING)
		end(flow, displaced, displaced_sentence);
}

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

/* ---- joining ---- */

static void
on_pumped(void *arg, enum pump_end how)
{
	struct agent_flow *flow = arg;

	end(flow,
	    how == PUMP_RESET_A       ? "client-reset"
		: how == PUMP_RESET_B ? "upstream-reset"
				      : pump_end_word(how),
	    NULL);
}

/* Takes both streams. */
static void
join(struct agent_flow *flow, struct stream *client, struct stream *upstream)
{
	struct pump_settings bounds = flow->endpoint->bounds;

	move(flow, JOINED);
	flow->ready_ms = (int32_t)(clock_ms() - flow->opened_at_ms);
	flow->setup->channel = NULL;
	flow->setup->client = NULL;
	bounds.stalls = flow->context->stalls;
	flow->pump = pump_new(flow->context->loop, client, upstream, &bounds, on_pumped, flow);
	if (!flow->pump)
		end(flow, code_word(CODE_INTERNAL), "memory is short");
	free_setup(flow->setup);
	flow->setup = NULL;
}

/* Answers `ready`; the channel becomes the stream of the client's bytes. False: it is lost. */
static bool
release_channel(struct agent_flow_setup *setup)
{
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
		refuse_client(flow, ALERT_INTERNAL_ERROR, code_word(CODE_UPSTREAM_DOWN), error);
	else
		fail(flow, CODE_UPSTREAM_DOWN, "the upstream does not answer", error);
}

static void
on_dialled(void *arg, struct stream *upstream, const char *error)
{
	struct agent_flow *flow = arg;

	upstream_dial_free(flow->setup->dial);
	flow->setup->dial = NULL;
	timer_clear(&flow->setup->working);
	endpoint_note_dial(flow->endpoint, upstream != NULL, clock_ms());
	if (!upstream) {
		on_dial_failed(flow, error);
		return;
	}
	if (flow->setup->client)
		join(flow, tls_stream(flow->setup->client), upstream);
	else if (release_channel(flow->setup))
		join(flow, flow->setup->channel, upstream);
	else {
		stream_reset(upstream);
		stream_free(upstream);
		end(flow, "relay-gave-up", NULL);
	}
}

static void
on_working(void *arg)
{
	struct agent_flow *flow = arg;

	if (flow->setup->pooled)
		channel_working(pooled_channel_channel(flow->setup->pooled));
}

/* The client's address is the relay's word, so relays have their turns before clients have. */
static struct heavy_party
party_of(const struct agent_flow *flow)
{
	return heavy_party_of(flow->ref->owner, &flow->setup->open.client);
}

static void
dial(struct agent_flow *flow)
{
	struct upstream_dial_options options = {
		.upstream = &flow->endpoint->upstream,
		.client = &flow->setup->open.client,
		.listener = &flow->setup->open.listener,
		.server_name = flow->server_name,
		.alpn = flow->setup->client ? tls_alpn(flow->setup->client) : "",
		.forgives_truncation = flow->endpoint->forgives_truncation,
		.has_bytes = !flow->setup->client, /* the hello */
		.party = party_of(flow),
	};

	move(flow, DIALLING);
	timer_set(&flow->setup->working, WORKING_MS);
	flow->setup->dial = upstream_dial_new(
	    flow->context->loop, flow->context->resolver, &options, on_dialled, flow);
	if (!flow->setup->dial)
		on_dial_failed(flow, "memory is short");
}

/* ---- the client's handshake ---- */

static bool
accepts_name(void *arg, const char *text, size_t bytes)
{
	struct agent_flow *flow = arg;
	char name[NAME_SIZE];

	return name_normalise(name, text, bytes) && strcmp(name, flow->server_name) == 0;
}

/* The CAs and CRLs that are in force now; they may have changed since the flow was opened. */
static struct trust *
client_trust(const struct agent_flow *flow)
{
	const struct endpoint *endpoint =
	    endpoint_table_find_again(flow->context->endpoint_table, flow->endpoint);

	return endpoint && endpoint->clients ? endpoint->clients : flow->endpoint->clients;
}

static unsigned
judge_client(void *arg, const struct tls_certificate *chain, size_t count)
{
	struct agent_flow *flow = arg;
	struct peer_check *check = &flow->setup->client_check;

	check->trust = client_trust(flow);
	check->role = ROLE_CLIENT;
	check->is_optional = flow->endpoint->client_certificate == TLS_CLIENT_REQUEST;
	return peer_check_chain(check, chain, count);
}

/* Before TLS 1.3 a chain is judged before its owner has shown that it has the key, and certificates
 * are no secrets. */
static bool
is_who_it_says(const struct agent_flow *flow, const struct verdict *verdict)
{
	return verdict->is_vouched && strcmp(tls_version(flow->setup->client), "TLS1.3") == 0;
}

static void
log_refused(const struct agent_flow *flow, const struct peer_check *check)
{
	char client[ADDRESS_TEXT];
	const struct log_field fields[] = {
		log_str("code", verify_code_word(check->verdict.code)),
		log_hex("flow", flow->id, FLOW_ID_BYTES),
		log_str("client", address_text(&flow->setup->open.client, client)),
		log_str("server_name", flow->server_name),
		log_str("subject", check->subject[0] ? check->subject : NULL),
		log_str("issuer", check->issuer[0] ? check->issuer : NULL),
		log_str("sha256", check->fingerprint[0] ? check->fingerprint : NULL),
		{ 0 },
	};

	log_write_judged(LOG_WARNING, "client-refused", &flow->setup->open.client,
	    is_who_it_says(flow, &check->verdict), check->verdict.sentence, fields);
}

static void
on_handshake_failed(struct agent_flow *flow, enum io result)
{
	const struct peer_check *check = &flow->setup->client_check;

	if (result == IO_WRITE)
		end(flow, "client-handshake-timeout", NULL);
	else if (check->has_refused) {
		log_refused(flow, check);
		refuse_client(
		    flow, 0, verify_code_word(check->verdict.code), check->verdict.sentence);
	} else
		refuse_client(flow, 0, "client-handshake-failed", tls_error(flow->setup->client));
}

static void
on_handshake(void *arg, enum io result)
{
	struct agent_flow *flow = arg;

	if (result != IO_OK) {
		on_handshake_failed(flow, result);
		return;
	}
	shares_leave(flow->setup->handshake);
	flow->setup->handshake = NULL;
	flow->version = tls_version(flow->setup->client);
	flow->identity = flow->setup->client_check.identity;
	flow->setup->client_check.identity = NULL;
	if (flow->endpoint->forgives_truncation)
		tls_forgive_truncation(flow->setup->client);
	dial(flow);
}

static void
start_handshake(struct agent_flow *flow)
{
	struct agent_flow_setup *setup = flow->setup;
	struct tls_hooks hooks = { .accepts_name = accepts_name, .arg = flow };
	struct heavy_party party = party_of(flow);

	if (flow->endpoint->client_certificate != TLS_CLIENT_OFF)
		hooks.judge = judge_client;
	move(flow, HANDSHAKING);
	setup->handshake = enter(flow, flow->context->handshakes, on_handshake_displaced);
	if (!setup->handshake) {
		fail(flow, CODE_INTERNAL, "memory is short", "memory is short");
		return;
	}
	if (!release_channel(setup)) {
		end(flow, "relay-gave-up", NULL);
		return;
	}
	setup->client = tls_server(flow->endpoint->tls, setup->channel, &hooks);
	setup->channel = NULL;
	if (!setup->client) {
		end(flow, code_word(CODE_INTERNAL), "memory is short");
		return;
	}
	tls_set_party(setup->client, &party);
	tls_driver_start(&setup->driver, flow->context->loop, setup->client, tls_handshake,
	    AGENT_FLOW_HANDSHAKE_MS, on_handshake, flow);
}

/* ---- the beginning ---- */

/* The channel may be lost before it is released.  After our `fail` this is the regular end. */
static void
on_pooled(void *arg, struct pooled_channel *pooled, enum pooled_channel_event event)
{
	struct agent_flow *flow = arg;

	if (event == POOLED_DISPLACED && !flow->reason)
		give_up(flow, displaced, pooled_channel_displaced);
	else if (event == POOLED_OVER)
		end(flow, "relay-gave-up", flow->reason ? NULL : pooled_channel_error(pooled));
}

static enum code
judge_open(const struct agent_flow *flow, char sentence[SENTENCE_TEXT])
{
	const struct agent_flow_setup *setup = flow->setup;
	const struct channel *channel = pooled_channel_channel(setup->pooled);

	if (!flow->context->is_draining)
		return open_check(&setup->open, flow->endpoint, channel_hello(channel), sentence);
	snprintf(sentence, SENTENCE_TEXT, "the agent is stopping");
	return CODE_AGENT_DRAINING;
}

static void
begin(struct agent_flow *flow)
{
	char sentence[SENTENCE_TEXT];
	enum code code = judge_open(flow, sentence);

	flow->place = enter(flow, flow->context->flows, on_displaced);
	if (!flow->place)
		refuse_relay(flow);
	else if (code != CODE_NONE)
		fail(flow, code, sentence, sentence);
	else if (flow->endpoint->terminates)
		start_handshake(flow);
	else
		dial(flow);
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
	timer_init(&flow->setup->working, context->loop, on_working, flow);
	LIST_INSERT_HEAD(list, flow, link);
	pooled_channel_hand_over(pooled, on_pooled, flow);
	begin(flow);
	return flow;
}

/* ---- judged again ---- */

static void
cut(struct agent_flow *flow, const struct verdict *verdict)
{
	flow->reason = verify_code_word(verdict->code);
	log_audit(LOG_WARNING, "flow-cut", verdict->sentence,
	    log_hex("flow", flow->id, FLOW_ID_BYTES), log_str("server_name", flow->server_name),
	    log_str("reason", flow->reason));
	if (flow->pump)
		pump_stop(flow->pump);
	else if (client_tls(flow) && flow->state == DIALLING)
		refuse_client(flow, verdict->alert, flow->reason, verdict->sentence);
	else
		end(flow, flow->reason, verdict->sentence);
}

void
agent_flow_judge_again(struct agent_flow *flow, int64_t now_s)
{
	struct trust *relays = flow->context->endpoint_table->relays;
	struct verdict verdict;

	if (flow->state == OVER || flow->state == LINGERING)
		return;
	/* When the relay's certificate expires, its session ends but joined flows go on. */
	if (flow->ref->peer && !identity_judge_again(flow->ref->peer, relays, now_s, &verdict) &&
	    (verdict.code != VERIFY_EXPIRED || flow->state != JOINED)) {
		cut(flow, &verdict);
		return;
	}
	if (flow->identity &&
	    !identity_judge_again(flow->identity, client_trust(flow), now_s, &verdict))
		cut(flow, &verdict);
}
