/*
 * Connecting: ask for the addresses, try them in turn.  The answer is always
 * given by a task at the end of a turn, where the connector may free itself.
 */
#include "base/socket.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/resolver.h"

enum { LEAST_ATTEMPT_MS = 1000, RETRY_MS = 10 };

struct connector {
	struct loop *loop;
	struct resolution *resolution;
	struct address addresses[RESOLVED_MOST];
	size_t count, next;	/* addresses, and the one to try next */
	int fd;
	uint64_t deadline_ms;
	struct watch watch;
	struct timer overall, attempt;
	struct task begin, answer;
	char error[CONNECT_ERROR];
	void (*on_done)(void *arg, int fd, const char *error);
	void *arg;
};

static void try_next(struct connector *);

static void
close_attempt(struct connector *connector)
{
	watch_wipe(&connector->watch);
	timer_clear(&connector->attempt);
	if (connector->fd >= 0)
		close(connector->fd);
	connector->fd = -1;
}

/* What is open is the answer; nothing more may happen until it is given. */
static void
settle(struct connector *connector)
{
	watch_wipe(&connector->watch);
	timer_clear(&connector->attempt);
	timer_clear(&connector->overall);
	loop_later(connector->loop, &connector->answer);
}

__attribute__((format(printf, 2, 3))) static void
note(struct connector *connector, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(connector->error, sizeof(connector->error), format, args);
	va_end(args);
}

static void
note_failure(struct connector *connector, const char *why)
{
	char text[ADDRESS_TEXT];

	note(connector, "cannot connect to %s: %s",
	    address_text(&connector->addresses[connector->next - 1], text), why);
}

/* Where nobody listens on a port of the ephemeral range, TCP may connect a socket to itself. */
static bool
is_own_echo(const struct connector *connector)
{
	const struct address *to = &connector->addresses[connector->next - 1];
	struct address own;

	if (address_port(to) < 1024)
		return false;
	own = socket_local(connector->fd);
	return own.bytes == to->bytes && memcmp(&own.as, &to->as, own.bytes) == 0;
}

static void
on_ready(void *arg, unsigned ready)
{
	struct connector *connector = arg;
	socklen_t bytes = sizeof(int);
	int why = 0;

	(void)ready;
	if (getsockopt(connector->fd, SOL_SOCKET, SO_ERROR, &why, &bytes) < 0)
		why = errno;
	if (why == 0 && is_own_echo(connector))
		why = ECONNREFUSED;
	if (why == 0) {
		settle(connector);
		return;
	}
	note_failure(connector, strerror(why));
	close_attempt(connector);
	try_next(connector);
}

/* Each of those left gets its share of the time left, but enough for one lost SYN. */
static uint64_t
share_ms(const struct connector *connector)
{
	uint64_t now = clock_ms();
	uint64_t left = connector->deadline_ms > now ? connector->deadline_ms - now : 0;
	uint64_t share = left / (connector->count - connector->next + 1);

	return share > LEAST_ATTEMPT_MS ? share : LEAST_ATTEMPT_MS;
}

/* Waits for the connection that has begun. */
static void
wait_for(struct connector *connector)
{
	watch_init(&connector->watch, connector->loop, connector->fd, on_ready, connector);
	watch_want(&connector->watch, WATCH_WRITE);
	timer_set(&connector->attempt, share_ms(connector));
}

/* A local listener's queue is full, and no event would tell when it is not any more. */
static void
retry_soon(struct connector *connector)
{
	connector->next--;
	close_attempt(connector);
	timer_set(&connector->attempt, RETRY_MS);
}

/* 0 when connected, else errno. */
static int
begin_attempt(struct connector *connector, const struct address *to)
{
	connector->fd = socket(to->as.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (connector->fd < 0)
		return errno;
	socket_prepare(connector->fd);
	return connect(connector->fd, &to->as.any, to->bytes) == 0 ? 0 : errno;
}

static void
try_next(struct connector *connector)
{
	while (connector->next < connector->count) {
		int why = begin_attempt(connector, &connector->addresses[connector->next++]);

		if (why == 0)
			break;
		if (why == EINPROGRESS) {
			wait_for(connector);
			return;
		}
		note_failure(connector, strerror(why));
		if (why == EAGAIN) {
			retry_soon(connector);
			return;
		}
		close_attempt(connector);
	}
	settle(connector);
}

static void
on_attempt_over(void *arg)
{
	struct connector *connector = arg;

	if (connector->fd >= 0)
		note_failure(connector, strerror(ETIMEDOUT));
	close_attempt(connector);
	try_next(connector);
}

static void
on_overall_over(void *arg)
{
	struct connector *connector = arg;

	if (connector->resolution != NULL)
		note(connector, "cannot connect: the name was not resolved in time");
	else if (connector->fd >= 0)
		note_failure(connector, strerror(ETIMEDOUT));
	resolution_forget(connector->resolution);
	connector->resolution = NULL;
	close_attempt(connector);
	settle(connector);
}

static void
on_resolved(void *arg, const struct address *addresses, size_t count, const char *error)
{
	struct connector *connector = arg;

	connector->resolution = NULL;
	if (error != NULL) {
		note(connector, "%s", error);
		settle(connector);
		return;
	}
	connector->count = count < RESOLVED_MOST ? count : RESOLVED_MOST;
	memcpy(connector->addresses, addresses, connector->count * sizeof(*addresses));
	try_next(connector);
}

static void
on_begin(void *arg)
{
	try_next(arg);
}

static void
on_answer(void *arg)
{
	struct connector *connector = arg;
	int fd = connector->fd;

	connector->on_done(connector->arg, fd, fd >= 0 ? NULL : connector->error);
	free(connector);
}

static void
set_target(struct connector *connector, struct resolver *resolver, const char *target)
{
	char host[254];
	uint16_t port;

	if (address_parse(&connector->addresses[0], target)) {
		connector->count = 1;
		loop_later(connector->loop, &connector->begin);
		return;
	}
	note(connector, "cannot connect to \"%.100s\": not host:port, [address]:port or unix:/path",
	    target);
	if (host_port_split(target, host, &port)) {
		note(connector, "cannot resolve \"%.100s\": memory is short", host);
		connector->resolution =
		    resolver_ask(resolver, connector->loop, host, port, on_resolved, connector);
	}
	if (connector->resolution == NULL)
		settle(connector);
}

struct connector *
connector_new(struct loop *loop, struct resolver *resolver, const char *target, uint64_t timeout_ms,
    void (*on_done)(void *, int, const char *), void *arg)
{
	struct connector *connector = calloc(1, sizeof(*connector));

	if (connector == NULL)
		return NULL;
	connector->loop = loop;
	connector->fd = -1;
	connector->deadline_ms = clock_ms() + timeout_ms;
	connector->on_done = on_done;
	connector->arg = arg;
	task_init(&connector->begin, on_begin, connector);
	task_init(&connector->answer, on_answer, connector);
	timer_init(&connector->overall, loop, on_overall_over, connector);
	timer_init(&connector->attempt, loop, on_attempt_over, connector);
	timer_set(&connector->overall, timeout_ms);
	set_target(connector, resolver, target);
	return connector;
}

void
connector_free(struct connector *connector)
{
	if (connector == NULL)
		return;
	resolution_forget(connector->resolution);
	loop_forget(connector->loop, &connector->begin);
	loop_forget(connector->loop, &connector->answer);
	timer_clear(&connector->overall);
	close_attempt(connector);
	free(connector);
}
