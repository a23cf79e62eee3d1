/* From the connection to the proxy's consent. */
#include "tunnel/proxy_dial.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/fetch_proxy.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/memory.h"
#include "base/proxy_talk.h"
#include "base/secret.h"
#include "base/socket.h"
#include "tunnel/tls_driver.h"

enum state { CONNECTING, SHAKING, TALKING, OVER, STATES };

struct proxy_dial {
	struct loop *loop;
	struct proxy_dial_options options; /* without a proxy if that is not for the target */
	enum state state;
	bool is_short;
	uint64_t deadline_ms;
	struct connector *connector;
	struct stream *stream; /* owned */
	struct tls *tls;       /* the same, if it is TLS */
	struct tls_driver driver;
	struct proxy_talk talk;
	struct proxy_buffers *buffers; /* while it talks; owned */
	struct watch watch;
	struct timer timer;
	struct task reap;
	char refusal[PROXY_DIAL_ERROR]; /* of its certificate; "": none */
	void (*on_done)(void *arg, struct stream *, const char *error);
	void *arg;
};

struct proxy_buffers {
	uint8_t said[PROXY_TALK_SAID], heard[PROXY_TALK_HEARD];
	size_t said_bytes, said_at, heard_bytes;
};

/* The only writer of ->state. */
static void
move(struct proxy_dial *dial, enum state to)
{
	static const unsigned may_move[STATES] = {
		[CONNECTING] = 1u << SHAKING | 1u << TALKING | 1u << OVER,
		[SHAKING] = 1u << TALKING | 1u << OVER,
		[TALKING] = 1u << OVER,
	};

	static const char *const state_name[STATES] = {
		[CONNECTING] = "connecting",
		[SHAKING] = "shaking",
		[TALKING] = "talking",
		[OVER] = "over",
	};

	assert(may_move[dial->state] & 1u << to);
	log_move("proxy-dial", log_str("target", dial->options.target), state_name[dial->state],
	    state_name[to]);
	dial->state = to;
}

/* ---- the end ---- */

static void
drop_buffers(struct proxy_dial *dial)
{
	if (dial->buffers)
		bytes_wipe(dial->buffers->said, sizeof dial->buffers->said);
	free(dial->buffers);
	dial->buffers = NULL;
}

static void
stop(struct proxy_dial *dial)
{
	tls_driver_wipe(&dial->driver);
	watch_wipe(&dial->watch);
	timer_clear(&dial->timer);
	drop_buffers(dial);
}

static void
on_reap(void *arg)
{
	struct proxy_dial *dial = arg;

	stream_free(dial->stream);
	free(dial);
}

static void
finish(struct proxy_dial *dial, const char *error)
{
	struct stream *stream = error ? NULL : dial->stream;

	stop(dial);
	move(dial, OVER);
	if (!error)
		dial->stream = NULL;
	loop_later(dial->loop, &dial->reap);
	dial->on_done(dial->arg, stream, error);
}

/* What is said stands behind the proxy's name. */
static void
fail(struct proxy_dial *dial, const char *why)
{
	char error[PROXY_DIAL_ERROR];

	snprintf(error, sizeof error, "the proxy %.280s %.700s", dial->options.proxy->url, why);
	finish(dial, error);
}

static void
fail_short(struct proxy_dial *dial)
{
	memory_short("a connection that was just dialled");
	dial->is_short = true;
	finish(dial, "memory is short");
}

static uint64_t
time_left(const struct proxy_dial *dial)
{
	uint64_t now = clock_ms();

	return now < dial->deadline_ms ? dial->deadline_ms - now : 1;
}

static void
on_deadline(void *arg)
{
	struct proxy_dial *dial = arg;
	char why[PROXY_DIAL_ERROR];

	snprintf(why, sizeof why, "does not answer when it is asked to connect to %.270s",
	    dial->options.target);
	fail(dial, why);
}

/* ---- the dialogue ---- */

static void hear(struct proxy_dial *);

/* Takes what the dialogue has to say next. */
static bool
prepare(struct proxy_dial *dial)
{
	struct proxy_buffers *buffers = dial->buffers;

	bytes_wipe(buffers->said, sizeof buffers->said);
	buffers->said_bytes = proxy_talk_say(&dial->talk, buffers->said);
	buffers->said_at = 0;
	return buffers->said_bytes > 0;
}

static bool
is_said(const struct proxy_dial *dial)
{
	return dial->buffers->said_at == dial->buffers->said_bytes;
}

/* False: it waits for the stream, or it has failed. */
static bool
is_through(struct proxy_dial *dial, enum io io)
{
	if (io_must_wait(io))
		watch_want(&dial->watch, io == IO_READ ? WATCH_READ : WATCH_WRITE);
	else if (io != IO_OK)
		fail(dial, "has closed the connection instead of an answer");
	return io == IO_OK;
}

static void
say(struct proxy_dial *dial)
{
	struct proxy_buffers *buffers = dial->buffers;
	size_t done;

	while (!is_said(dial)) {
		if (!is_through(dial,
			stream_write(dial->stream, buffers->said + buffers->said_at,
			    buffers->said_bytes - buffers->said_at, &done)))
			return;
		buffers->said_at += done;
	}
	hear(dial);
}

static void
end_of_talk(struct proxy_dial *dial)
{
	struct proxy_buffers *buffers = dial->buffers;

	if (buffers->heard_bytes > 0 &&
	    !stream_unread(dial->stream, buffers->heard, buffers->heard_bytes))
		fail_short(dial);
	else
		finish(dial, NULL);
}

static void
go_on(struct proxy_dial *dial)
{
	if (prepare(dial))
		say(dial);
	else
		fail_short(dial);
}

/* True: more is wanted. */
static bool
judge_heard(struct proxy_dial *dial)
{
	struct proxy_buffers *buffers = dial->buffers;
	size_t used;
	enum proxy_talk_verdict verdict =
	    proxy_talk_hear(&dial->talk, buffers->heard, buffers->heard_bytes, &used);

	buffers->heard_bytes -= used;
	memmove(buffers->heard, buffers->heard + used, buffers->heard_bytes);
	switch (verdict) {
	case TALK_MORE:
		return true;
	case TALK_GOES_ON:
		go_on(dial);
		break;
	case TALK_DONE:
		end_of_talk(dial);
		break;
	case TALK_FAILED:
		fail(dial, dial->talk.error);
		break;
	}
	return false;
}

/* TLS may hold bytes that no descriptor announces, so that it is read until there are none. */
static void
hear(struct proxy_dial *dial)
{
	struct proxy_buffers *buffers = dial->buffers;
	size_t done;

	do {
		if (!is_through(dial,
			stream_read(dial->stream, buffers->heard + buffers->heard_bytes,
			    sizeof buffers->heard - buffers->heard_bytes, &done)))
			return;
		buffers->heard_bytes += done;
	} while (judge_heard(dial));
}

static void
on_ready(void *arg, unsigned ready)
{
	struct proxy_dial *dial = arg;

	(void)ready;
	if (is_said(dial))
		hear(dial);
	else
		say(dial);
}

static void
start_talking(struct proxy_dial *dial)
{
	dial->buffers = calloc(1, sizeof *dial->buffers);
	if (!dial->buffers) {
		fail_short(dial);
		return;
	}
	move(dial, TALKING);
	watch_init(&dial->watch, dial->loop, dial->stream->fd, on_ready, dial);
	timer_set(&dial->timer, time_left(dial));
	proxy_talk_init(&dial->talk, dial->options.proxy, dial->options.target);
	go_on(dial);
}

/* ---- TLS with the proxy ---- */

static unsigned
on_judge(void *arg, const struct tls_certificate *chain, size_t count)
{
	struct proxy_dial *dial = arg;

	return dial->options.judge(
	    dial->options.judge_arg, dial->options.proxy->host, chain, count, dial->refusal);
}

static void
on_handshake(void *arg, enum io end)
{
	struct proxy_dial *dial = arg;
	char why[PROXY_DIAL_ERROR];

	if (end == IO_OK) {
		start_talking(dial);
		return;
	}
	if (dial->refusal[0] != '\0')
		snprintf(
		    why, sizeof why, "shows a certificate that is refused: %.700s", dial->refusal);
	else if (tls_heard_no_tls(dial->tls))
		snprintf(why, sizeof why, "does not speak TLS; is it one of http://?");
	else
		snprintf(why, sizeof why, "does not finish its TLS handshake: %.300s",
		    end == IO_WRITE                       ? "it takes too long"
			: tls_error(dial->tls)[0] != '\0' ? tls_error(dial->tls)
							  : "it has closed the connection");
	fail(dial, why);
}

static bool
is_literal(const char *host)
{
	unsigned char octets[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, octets) == 1 || inet_pton(AF_INET6, host, octets) == 1;
}

static void
start_shaking(struct proxy_dial *dial)
{
	const struct tls_hooks hooks = { .judge = on_judge, .arg = dial };
	const char *host = dial->options.proxy->host;
	struct tls *tls =
	    tls_client(dial->options.tls, dial->stream, is_literal(host) ? NULL : host, &hooks);

	dial->tls = tls;
	dial->stream = tls ? tls_stream(tls) : NULL;
	if (!tls) {
		fail_short(dial);
		return;
	}
	move(dial, SHAKING);
	tls_driver_start(
	    &dial->driver, dial->loop, tls, tls_handshake, time_left(dial), on_handshake, dial);
}

/* ---- the connection ---- */

static void
on_connected(void *arg, int fd, const char *error)
{
	struct proxy_dial *dial = arg;
	const struct fetch_proxy *proxy = dial->options.proxy;
	char why[PROXY_DIAL_ERROR];

	dial->connector = NULL;
	dial->is_short = fd == CONNECT_SHORT;
	if (fd < 0 && proxy) {
		snprintf(why, sizeof why, "cannot be reached: %.600s", error);
		fail(dial, why);
		return;
	}
	if (fd < 0) {
		finish(dial, error);
		return;
	}
	dial->stream = stream_socket(fd);
	if (!dial->stream)
		fail_short(dial);
	else if (!proxy)
		finish(dial, NULL);
	else if (proxy->kind == FETCH_PROXY_HTTPS)
		start_shaking(dial);
	else
		start_talking(dial);
}

bool
proxy_dial_is_short(const struct proxy_dial *dial)
{
	return dial->is_short;
}

bool
proxy_dial_is_by_proxy(const struct proxy_dial_options *options)
{
	char host[254];
	uint16_t port;

	return options->proxy && host_port_split(options->target, host, &port) &&
	    fetch_proxy_is_for(options->proxy, host);
}

/* Where the proxy is, "host:port": its URL behind the scheme. */
static const char *
place_of(const struct fetch_proxy *proxy)
{
	return strstr(proxy->url, "://") + strlen("://");
}

struct proxy_dial *
proxy_dial_new(struct loop *loop, struct resolver *resolver,
    const struct proxy_dial_options *options,
    void (*on_done)(void *, struct stream *, const char *), void *arg)
{
	struct proxy_dial *dial = calloc(1, sizeof *dial);

	if (!dial)
		return NULL;
	dial->loop = loop;
	dial->options = *options;
	if (!proxy_dial_is_by_proxy(options))
		dial->options.proxy = NULL;
	dial->on_done = on_done;
	dial->arg = arg;
	dial->deadline_ms = clock_ms() + options->timeout_ms;
	timer_init(&dial->timer, loop, on_deadline, dial);
	task_init(&dial->reap, on_reap, dial);
	dial->connector = connector_new(loop, resolver,
	    dial->options.proxy ? place_of(options->proxy) : options->target, options->timeout_ms,
	    on_connected, dial);
	if (!dial->connector) {
		free(dial);
		return NULL;
	}
	if (options->source)
		connector_set_source(dial->connector, options->source);
	return dial;
}

void
proxy_dial_free(struct proxy_dial *dial)
{
	if (!dial)
		return;
	connector_free(dial->connector);
	stop(dial);
	stream_free(dial->stream);
	free(dial);
}
