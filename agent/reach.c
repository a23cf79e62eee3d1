/*
 * The way to an upstream.
 */
#include "agent/reach.h"

#include <stdio.h>
#include <stdlib.h>

#include "agent/handshake.h"
#include "agent/peer_check.h"
#include "base/clock.h"
#include "base/proxy.h"
#include "base/socket.h"

struct reach {
	struct loop *loop;
	struct reach_wish wish;
	uint64_t deadline_ms;
	struct connector *connector;
	struct stream *stream;
	struct watch watch;
	struct timer timer;
	uint8_t header[PROXY_MOST];
	size_t header_bytes, header_at;
	struct tls *tls;
	struct handshake handshake;
	struct peer_check judge;
	void (*on_done)(void *arg, struct stream *, const char *error);
	void *arg;
};

/* The sentence is copied: it may stand in what the owner frees. */
static void
fail(struct reach *reach, const char *why)
{
	char error[REACH_ERROR];

	snprintf(error, sizeof error, "%s", why);
	watch_wipe(&reach->watch);
	timer_clear(&reach->timer);
	reach->on_done(reach->arg, NULL, error);
}

static void
succeed(struct reach *reach)
{
	struct stream *stream = reach->stream;

	watch_wipe(&reach->watch);
	timer_clear(&reach->timer);
	reach->stream = NULL;
	reach->on_done(reach->arg, stream, NULL);
}

static uint64_t
time_left(const struct reach *reach)
{
	uint64_t now = clock_ms();

	return now < reach->deadline_ms ? reach->deadline_ms - now : 1;
}

static void
on_shaken(void *arg, enum io end)
{
	struct reach *reach = arg;
	const char *why = tls_error(reach->tls);

	if (end == IO_OK) {
		if (reach->wish.forgives_truncation)
			tls_forgive_truncation(reach->tls);
		succeed(reach);
	} else if (reach->judge.has_refused)
		fail(reach, reach->judge.verdict.sentence);
	else
		fail(reach, end == IO_WRITE ? "the upstream's TLS handshake takes too long"
		    : why[0] ? why : "the upstream closed during the TLS handshake");
}

static void
shake(struct reach *reach)
{
	const struct upstream *upstream = reach->wish.upstream;
	struct tls_hooks hooks = { .judge = peer_check_chain, .arg = &reach->judge };

	reach->judge.trust = upstream->trust;
	reach->judge.role = ROLE_SERVER;
	reach->judge.host = upstream->server_name;
	reach->tls = tls_client(upstream_tls(upstream, reach->wish.alpn), reach->stream,
	    upstream->sends_sni ? upstream->server_name : NULL, &hooks);
	reach->stream = reach->tls ? tls_stream(reach->tls) : NULL;
	if (reach->tls)
		handshake_start(&reach->handshake, reach->loop, reach->tls, time_left(reach),
		    on_shaken, reach);
	else
		fail(reach, "memory is short");
}

static void
greet(struct reach *reach)
{
	size_t done;

	while (reach->header_at < reach->header_bytes) {
		switch (stream_write(reach->stream, reach->header + reach->header_at,
		    reach->header_bytes - reach->header_at, &done)) {
		case IO_OK:
			reach->header_at += done;
			break;
		case IO_READ:
		case IO_WRITE:
			watch_want(&reach->watch, WATCH_WRITE);
			return;
		case IO_EOF:
		case IO_RESET:
		case IO_FAILED:
			fail(reach, "the upstream closed before the PROXY header was sent");
			return;
		}
	}
	watch_wipe(&reach->watch);
	timer_clear(&reach->timer);
	if (reach->wish.upstream->url.kind == UPSTREAM_TLS)
		shake(reach);
	else
		succeed(reach);
}

static void
on_writable(void *arg, unsigned ready)
{
	(void)ready;
	greet(arg);
}

static void
on_deadline(void *arg)
{
	fail(arg, "the upstream does not take the PROXY header");
}

static void
on_connected(void *arg, int fd, const char *error)
{
	struct reach *reach = arg;
	const struct reach_wish *wish = &reach->wish;

	reach->connector = NULL;
	if (fd < 0) {
		fail(reach, error);
		return;
	}
	reach->stream = stream_socket(fd);
	if (!reach->stream) {
		fail(reach, "memory is short");
		return;
	}
	if (wish->upstream->proxy_version > 0)
		reach->header_bytes = proxy_encode(reach->header, wish->upstream->proxy_version,
		    wish->client, wish->listener);
	watch_init(&reach->watch, reach->loop, fd, on_writable, reach);
	timer_set(&reach->timer, time_left(reach));
	greet(reach);
}

struct reach *
reach_new(struct loop *loop, struct resolver *resolver, const struct reach_wish *wish,
    void (*on_done)(void *arg, struct stream *, const char *error), void *arg)
{
	struct reach *reach = calloc(1, sizeof *reach);

	if (!reach)
		return NULL;
	reach->loop = loop;
	reach->wish = *wish;
	reach->on_done = on_done;
	reach->arg = arg;
	reach->deadline_ms = clock_ms() + REACH_MS;
	timer_init(&reach->timer, loop, on_deadline, reach);
	reach->connector = connector_new(loop, resolver, wish->upstream->url.target, REACH_MS,
	    on_connected, reach);
	if (reach->connector)
		return reach;
	reach_free(reach);
	return NULL;
}

void
reach_free(struct reach *reach)
{
	if (!reach)
		return;
	if (reach->connector)
		connector_free(reach->connector);
	handshake_wipe(&reach->handshake);
	watch_wipe(&reach->watch);
	timer_clear(&reach->timer);
	stream_free(reach->stream);
	peer_check_wipe(&reach->judge);
	free(reach);
}
