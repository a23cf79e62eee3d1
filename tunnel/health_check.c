/* One check of an upstream, step by step. */
#include "tunnel/health_check.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/numbers.h"
#include "base/postgres.h"
#include "base/socket.h"
#include "tunnel/tls_driver.h"

enum { FRONT_MOST = 16 + POSTGRES_REQUEST_BYTES };

struct health_check {
	struct loop *loop;
	struct health_check_options options;
	uint64_t deadline_ms;
	struct connector *connector;
	struct stream *stream;
	struct watch watch;
	struct timer timer;
	bool is_short;
	struct tls *tls;
	struct tls_driver driver;
	void (*on_done)(void *arg, const char *error);
	void *arg;
};

static void
finish(struct health_check *check, const char *error)
{
	watch_wipe(&check->watch);
	timer_clear(&check->timer);
	check->on_done(check->arg, error);
}

static void
finish_short(struct health_check *check, const char *error)
{
	check->is_short = true;
	finish(check, error);
}

static uint64_t
time_left(const struct health_check *check)
{
	return larger_of(difference(check->deadline_ms, clock_ms()), 1);
}

/* ---- TLS ---- */

static unsigned
judge_none(void *arg, const struct tls_certificate *chain, size_t count)
{
	(void)arg, (void)chain, (void)count;
	return 0;
}

static void
on_handshake(void *arg, enum io end)
{
	struct health_check *check = arg;
	const char *why = tls_error(check->tls);

	if (end == IO_OK) {
		stream_finish(check->stream);
		finish(check, NULL);
	} else
		finish(check,
		    end == IO_WRITE ? "its TLS handshake takes too long"
			: why[0]    ? why
				    : "it closed during the TLS handshake");
}

static void
start_handshake(struct health_check *check)
{
	struct tls_hooks hooks = check->options.hooks;

	watch_wipe(&check->watch);
	timer_clear(&check->timer);
	if (!hooks.judge)
		hooks.judge = judge_none;
	check->tls =
	    tls_client(check->options.tls, check->stream, check->options.server_name, &hooks);
	check->stream = check->tls ? tls_stream(check->tls) : NULL;
	if (check->tls)
		tls_driver_start(&check->driver, check->loop, check->tls, tls_handshake,
		    time_left(check), on_handshake, check);
	else
		finish_short(check, "memory is short");
}

/* ---- before TLS ---- */

static void
hear_answer(void *arg, unsigned ready)
{
	struct health_check *check = arg;
	uint8_t answer[2];
	const char *why;
	size_t got;

	(void)ready;
	if (io_must_wait(stream_read(check->stream, answer, sizeof answer, &got)))
		return;
	why = postgres_answer_error(answer, got);
	if (why)
		finish(check, why);
	else
		start_handshake(check);
}

static void
on_deadline(void *arg)
{
	finish(arg, "it does not answer when it is asked for TLS");
}

static void
wait_for_answer(struct health_check *check)
{
	watch_init(&check->watch, check->loop, check->stream->fd, hear_answer, check);
	watch_want(&check->watch, WATCH_READ);
	timer_set(&check->timer, time_left(check));
}

/* A header that names nobody (proxy-protocol.txt, 2.1 "UNKNOWN" and 2.2 "LOCAL"). */
static size_t
fill_front(const struct health_check_options *options, uint8_t front[FRONT_MOST])
{
	static const char unknown[] = "PROXY UNKNOWN\r\n";
	static const char local[] = "\r\n\r\n\0\r\nQUIT\n\x20\0\0";
	size_t bytes = 0;

	if (options->proxy_version == 1)
		memcpy(front, unknown, bytes = sizeof unknown - 1);
	if (options->proxy_version == 2)
		memcpy(front, local, bytes = sizeof local);
	if (options->tls && options->asks_for_tls) {
		memcpy(front + bytes, postgres_ssl_request, POSTGRES_REQUEST_BYTES);
		bytes += POSTGRES_REQUEST_BYTES;
	}
	return bytes;
}

/* So few bytes fit into a new socket at once. */
static bool
send_front(struct health_check *check)
{
	uint8_t front[FRONT_MOST];
	size_t bytes = fill_front(&check->options, front), done = 0;

	return bytes == 0 ||
	    (stream_write(check->stream, front, bytes, &done) == IO_OK && done == bytes);
}

static void
on_connected(void *arg, int fd, const char *error)
{
	struct health_check *check = arg;

	check->connector = NULL;
	if (fd == CONNECT_SHORT) {
		finish_short(check, error);
		return;
	}
	if (fd < 0) {
		finish(check, error);
		return;
	}
	check->stream = stream_socket(fd);
	if (!check->stream)
		finish_short(check, "memory is short");
	else if (!send_front(check))
		finish(check, "it closed before the first bytes were sent");
	else if (!check->options.tls)
		finish(check, NULL);
	else if (check->options.asks_for_tls)
		wait_for_answer(check);
	else
		start_handshake(check);
}

struct health_check *
health_check_new(struct loop *loop, struct resolver *resolver,
    const struct health_check_options *options, void (*on_done)(void *arg, const char *error),
    void *arg)
{
	struct health_check *check = calloc(1, sizeof *check);

	if (!check)
		return NULL;
	check->loop = loop;
	check->options = *options;
	check->on_done = on_done;
	check->arg = arg;
	check->deadline_ms = clock_ms() + options->timeout_ms;
	timer_init(&check->timer, loop, on_deadline, check);
	check->connector = connector_new(
	    loop, resolver, options->target, options->timeout_ms, on_connected, check);
	if (check->connector)
		return check;
	health_check_free(check);
	return NULL;
}

bool
health_check_is_short(const struct health_check *check)
{
	return check->is_short;
}

void
health_check_free(struct health_check *check)
{
	if (!check)
		return;
	connector_free(check->connector);
	tls_driver_wipe(&check->driver);
	watch_wipe(&check->watch);
	timer_clear(&check->timer);
	stream_free(check->stream);
	free(check);
}
