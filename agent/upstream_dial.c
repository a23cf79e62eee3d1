/*
 * Dials an upstream for one flow.
 */
#include "agent/upstream_dial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/egress.h"
#include "agent/upstream_judge.h"
#include "base/clock.h"
#include "base/postgres.h"
#include "base/socket.h"
#include "tunnel/tls_driver.h"

struct upstream_dial {
	struct loop *loop;
	struct upstream_dial_options options;
	uint64_t deadline_ms;
	struct connector *connector;   /* or */
	struct proxy_dial *proxy_dial; /* by a proxy */
	struct stream *stream;
	struct watch watch;
	struct timer timer;
	uint8_t *header; /* and the request behind it; owned */
	size_t header_bytes, header_at;
	bool is_short;
	struct tls *tls;
	struct tls_driver driver;
	struct upstream_judge judge;
	void (*on_done)(void *arg, struct stream *, const char *error);
	void *arg;
};

/* The sentence is copied, because the owner may free in on_done what it stands in. */
static void
fail(struct upstream_dial *dial, const char *why)
{
	char error[UPSTREAM_DIAL_ERROR];

	snprintf(error, sizeof error, "%s", why);
	watch_wipe(&dial->watch);
	timer_clear(&dial->timer);
	dial->on_done(dial->arg, NULL, error);
}

static const char no_memory[] = "memory is short";

static void
fail_short(struct upstream_dial *dial, const char *why)
{
	dial->is_short = true;
	fail(dial, why);
}

static void
succeed(struct upstream_dial *dial)
{
	struct stream *stream = dial->stream;

	watch_wipe(&dial->watch);
	timer_clear(&dial->timer);
	dial->stream = NULL;
	dial->on_done(dial->arg, stream, NULL);
}

static uint64_t
time_left(const struct upstream_dial *dial)
{
	uint64_t now = clock_ms();

	return now < dial->deadline_ms ? dial->deadline_ms - now : 1;
}

static void
on_handshake(void *arg, enum io end)
{
	struct upstream_dial *dial = arg;
	const char *why = tls_error(dial->tls);

	if (end == IO_OK) {
		if (dial->options.forgives_truncation)
			tls_forgive_truncation(dial->tls);
		succeed(dial);
	} else if (dial->judge.refusal[0])
		fail(dial, dial->judge.refusal);
	else
		fail(dial,
		    end == IO_WRITE ? "the upstream's TLS handshake takes too long"
			: why[0]    ? why
				    : "the upstream closed during the TLS handshake");
}

static void
start_handshake(struct upstream_dial *dial)
{
	const struct upstream *upstream = dial->options.upstream;
	const struct upstream_target *target = &upstream->targets[dial->options.target];
	struct tls_hooks hooks = { .judge = upstream_judge_chain, .arg = &dial->judge };

	upstream_judge_init(&dial->judge, upstream, dial->options.target);
	dial->tls = tls_client(upstream_tls(upstream, dial->options.alpn), dial->stream,
	    target->sends_sni ? target->server_name : NULL, &hooks);
	dial->stream = dial->tls ? tls_stream(dial->tls) : NULL;
	if (!dial->tls) {
		fail_short(dial, no_memory);
		return;
	}
	tls_set_party(dial->tls, &dial->options.party);
	tls_driver_start(&dial->driver, dial->loop, dial->tls, tls_handshake, time_left(dial),
	    on_handshake, dial);
}

/* The upstream may have the flow's bytes, or a handshake. */
static void
go_on(struct upstream_dial *dial)
{
	watch_wipe(&dial->watch);
	timer_clear(&dial->timer);
	if (dial->options.upstream->kind == UPSTREAM_TLS)
		start_handshake(dial);
	else
		succeed(dial);
}

static void
hear_answer(struct upstream_dial *dial)
{
	uint8_t answer[2];
	const char *why;
	size_t got;

	if (io_must_wait(stream_read(dial->stream, answer, sizeof answer, &got))) {
		watch_want(&dial->watch, WATCH_READ);
		return;
	}
	why = postgres_answer_error(answer, got);
	if (why)
		fail(dial, why);
	else
		go_on(dial);
}

static void
send_header(struct upstream_dial *dial)
{
	size_t done;

	while (dial->header_at < dial->header_bytes) {
		switch (stream_write(dial->stream, dial->header + dial->header_at,
		    dial->header_bytes - dial->header_at, &done)) {
		case IO_OK:
			dial->header_at += done;
			break;
		case IO_READ:
		case IO_WRITE:
			watch_want(&dial->watch, WATCH_WRITE);
			return;
		case IO_EOF:
		case IO_RESET:
		case IO_FAILED:
			fail(dial, "the upstream closed before the PROXY header was sent");
			return;
		}
	}
	if (dial->options.upstream->asks_for_tls)
		hear_answer(dial);
	else
		go_on(dial);
}

static bool
is_header_sent(const struct upstream_dial *dial)
{
	return dial->header_at == dial->header_bytes;
}

static void
on_ready(void *arg, unsigned ready)
{
	struct upstream_dial *dial = arg;

	(void)ready;
	if (is_header_sent(dial))
		hear_answer(dial);
	else
		send_header(dial);
}

static void
on_deadline(void *arg)
{
	fail(arg,
	    is_header_sent(arg) ? "the upstream does not answer when it is asked for TLS"
				: "the upstream does not take the PROXY header");
}

/* False when memory is short. */
static bool
fill_header(struct upstream_dial *dial)
{
	const struct upstream_dial_options *options = &dial->options;

	dial->header = malloc(options->header_bytes + POSTGRES_REQUEST_BYTES);
	if (!dial->header)
		return false;
	if (options->header_bytes > 0)
		memcpy(dial->header, options->header, options->header_bytes);
	dial->header_bytes = options->header_bytes;
	if (!options->upstream->asks_for_tls)
		return true;
	memcpy(dial->header + dial->header_bytes, postgres_ssl_request, POSTGRES_REQUEST_BYTES);
	dial->header_bytes += POSTGRES_REQUEST_BYTES;
	return true;
}

static void
start_sending(struct upstream_dial *dial)
{
	watch_init(&dial->watch, dial->loop, dial->stream->fd, on_ready, dial);
	timer_set(&dial->timer, time_left(dial));
	send_header(dial);
}

static void
on_connected(void *arg, int fd, const char *error)
{
	struct upstream_dial *dial = arg;

	dial->connector = NULL;
	if (fd == CONNECT_SHORT) {
		fail_short(dial, error);
		return;
	}
	if (fd < 0) {
		fail(dial, error);
		return;
	}
	dial->stream = stream_socket(fd);
	if (dial->stream)
		start_sending(dial);
	else
		fail_short(dial, no_memory);
}

static void
on_proxied(void *arg, struct stream *stream, const char *error)
{
	struct upstream_dial *dial = arg;
	bool is_short = !stream && proxy_dial_is_short(dial->proxy_dial);

	dial->proxy_dial = NULL;
	dial->stream = stream;
	if (stream)
		start_sending(dial);
	else if (is_short)
		fail_short(dial, error);
	else
		fail(dial, error);
}

/* False when memory is short. */
static bool
start_dialling(struct upstream_dial *dial, struct resolver *resolver)
{
	const char *target = dial->options.upstream->targets[dial->options.target].url.target;
	struct proxy_dial_options by = { .target = target, .timeout_ms = dial->options.timeout_ms };

	egress_fill(dial->options.egress, &by);
	if (proxy_dial_is_by_proxy(&by))
		dial->proxy_dial = proxy_dial_new(dial->loop, resolver, &by, on_proxied, dial);
	else
		dial->connector =
		    connector_new(dial->loop, resolver, target, by.timeout_ms, on_connected, dial);
	if (dial->connector && by.source)
		connector_set_source(dial->connector, by.source);
	return dial->proxy_dial || dial->connector;
}

struct upstream_dial *
upstream_dial_new(struct loop *loop, struct resolver *resolver,
    const struct upstream_dial_options *options,
    void (*on_done)(void *arg, struct stream *, const char *error), void *arg)
{
	struct upstream_dial *dial = calloc(1, sizeof *dial);

	if (!dial)
		return NULL;
	dial->loop = loop;
	dial->options = *options;
	dial->on_done = on_done;
	dial->arg = arg;
	dial->deadline_ms = clock_ms() + options->timeout_ms;
	timer_init(&dial->timer, loop, on_deadline, dial);
	if (fill_header(dial) && start_dialling(dial, resolver))
		return dial;
	upstream_dial_free(dial);
	return NULL;
}

const struct upstream_judge *
upstream_dial_judge(const struct upstream_dial *dial)
{
	return &dial->judge;
}

struct tls *
upstream_dial_tls(const struct upstream_dial *dial)
{
	return dial->tls;
}

bool
upstream_dial_is_short(const struct upstream_dial *dial)
{
	return dial->is_short;
}

void
upstream_dial_free(struct upstream_dial *dial)
{
	if (!dial)
		return;
	if (dial->connector)
		connector_free(dial->connector);
	proxy_dial_free(dial->proxy_dial);
	tls_driver_wipe(&dial->driver);
	watch_wipe(&dial->watch);
	timer_clear(&dial->timer);
	stream_free(dial->stream);
	upstream_judge_wipe(&dial->judge);
	free(dial->header);
	free(dial);
}
