/*
 * From the accepted `open` to the pump.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/flow_private.h"
#include "agent/pooled_channel.h"
#include "agent/roster.h"
#include "base/clock.h"
#include "tunnel/channel.h"

enum { ALERT_INTERNAL_ERROR = 80 };

/* ---- joining ---- */

static void
on_pumped(void *arg, enum pump_end end)
{
	struct flow *flow = arg;

	flow_end(flow, end == PUMP_RESET_A ? "client-reset" : end == PUMP_RESET_B ? "upstream-reset"
	    : pump_end_word(end), NULL);
}

/* Both streams are given. */
static void
join(struct flow *flow, struct stream *client, struct stream *upstream)
{
	flow_move(flow, FLOW_JOINED);
	flow->joined_at_ms = clock_ms();
	flow->sealed = NULL;
	flow->client = NULL;
	flow->pump = pump_new(
	    flow->context->loop, client, upstream, &flow->endpoint->bounds, on_pumped, flow);
	if (!flow->pump)
		flow_end(flow, code_word(CODE_INTERNAL), "memory is short");
	handshake_wipe(&flow->setup->handshake);
	free(flow->setup);
	flow->setup = NULL;
}

/* Ready is said and the channel turns into the client's stream. */
static bool
release(struct flow *flow)
{
	struct channel *channel = pooled_channel_channel(flow->pooled);

	if (channel_ready(channel))
		flow->sealed = channel_release(channel);
	pooled_channel_free(flow->pooled);
	flow->pooled = NULL;
	return flow->sealed != NULL;
}

/* ---- the upstream ---- */

static void
on_unreached(struct flow *flow, const char *error)
{
	const char *word = code_word(CODE_UPSTREAM_DOWN);

	if (flow->client) {
		flow_refuse_client(flow, ALERT_INTERNAL_ERROR, word, error);
		return;
	}
	flow->reason = word;
	snprintf(flow->setup->detail, FLOW_DETAIL, "%s", error);
	channel_fail(pooled_channel_channel(flow->pooled), CODE_UPSTREAM_DOWN,
	    "the upstream does not answer");
}

static void
on_reached(void *arg, struct stream *upstream, const char *error)
{
	struct flow *flow = arg;

	upstream_dial_free(flow->setup->dial);
	flow->setup->dial = NULL;
	endpoint_note_dial(flow->endpoint, upstream != NULL, clock_ms());
	if (!upstream) {
		on_unreached(flow, error);
		return;
	}
	if (flow->client) {
		join(flow, tls_stream(flow->client), upstream);
		return;
	}
	if (release(flow)) {
		join(flow, flow->sealed, upstream);
		return;
	}
	stream_reset(upstream);
	stream_free(upstream);
	flow_end(flow, "relay-gave-up", NULL);
}

static void
dial(struct flow *flow)
{
	struct upstream_dial_wish wish = {
		.upstream = &flow->endpoint->upstream,
		.client = &flow->open.client,
		.listener = &flow->open.listener,
		.alpn = flow->client ? tls_alpn(flow->client) : "",
		.forgives_truncation = flow->endpoint->forgives_truncation,
	};

	flow_move(flow, FLOW_REACHING);
	flow->setup->dial = upstream_dial_new(
	    flow->context->loop, flow->context->resolver, &wish, on_reached, flow);
	if (!flow->setup->dial)
		on_unreached(flow, "memory is short");
}

/* ---- the client's handshake ---- */

static bool
accepts_name(void *arg, const char *text, size_t bytes)
{
	struct flow *flow = arg;
	char name[NAME_SIZE];

	return name_normalise(name, text, bytes) && strcmp(name, flow->open.server_name) == 0;
}

/* By the trust of now: CAs and CRLs may have changed since the flow was opened. */
static unsigned
judge_client(void *arg, const struct tls_certificate *chain, size_t count)
{
	struct flow *flow = arg;
	struct peer_check *judge = &flow->setup->judge;
	struct endpoint *endpoint = roster_find(flow->context->roster, flow->endpoint->number);

	judge->trust = endpoint && endpoint->clients ? endpoint->clients : flow->endpoint->clients;
	judge->role = ROLE_CLIENT;
	judge->is_optional = flow->endpoint->client_certificate == TLS_CLIENT_REQUEST;
	return peer_check_chain(judge, chain, count);
}

static void
on_shake_failed(struct flow *flow, enum io end)
{
	const struct peer_check *judge = &flow->setup->judge;

	if (end == IO_WRITE)
		flow_end(flow, "client-handshake-timeout", NULL);
	else if (judge->has_refused)
		flow_refuse_client(flow, 0, verify_code_word(judge->verdict.code),
		    judge->verdict.sentence);
	else
		flow_refuse_client(flow, 0, "client-handshake-failed", tls_error(flow->client));
}

static void
on_shaken(void *arg, enum io end)
{
	struct flow *flow = arg;

	if (end != IO_OK) {
		on_shake_failed(flow, end);
		return;
	}
	flow->version = tls_version(flow->client);
	flow->identity = flow->setup->judge.identity;
	flow->setup->judge.identity = NULL;
	if (flow->endpoint->forgives_truncation)
		tls_forgive_truncation(flow->client);
	dial(flow);
}

static void
shake(struct flow *flow)
{
	struct tls_hooks hooks = { .accepts_name = accepts_name, .arg = flow };

	if (flow->endpoint->client_certificate != TLS_CLIENT_OFF)
		hooks.judge = judge_client;
	flow_move(flow, FLOW_SHAKING);
	if (!release(flow)) {
		flow_end(flow, "relay-gave-up", NULL);
		return;
	}
	flow->client = tls_server(flow->endpoint->tls, flow->sealed, &hooks);
	flow->sealed = NULL;
	if (flow->client)
		handshake_start(&flow->setup->handshake, flow->context->loop, flow->client,
		    FLOW_SHAKE_MS, on_shaken, flow);
	else
		flow_end(flow, code_word(CODE_INTERNAL), "memory is short");
}

void
flow_begin(struct flow *flow)
{
	if (flow->endpoint->terminates)
		shake(flow);
	else
		dial(flow);
}

static void
on_lingered(void *arg)
{
	flow_end(arg, NULL, NULL);
}

void
flow_refuse_client(struct flow *flow, unsigned alert, const char *reason, const char *detail)
{
	flow->reason = reason;
	snprintf(flow->setup->detail, FLOW_DETAIL, "%s", detail);
	handshake_wipe(&flow->setup->handshake);
	upstream_dial_free(flow->setup->dial);
	flow->setup->dial = NULL;
	if (alert)
		tls_alert(flow->client, alert);
	flow_move(flow, FLOW_LINGERING);
	lingering_start(
	    &flow->setup->lingering, flow->context->loop, flow->client, on_lingered, flow);
}
