/*
 * Accepting for ever.  Whatever accept() says, the listener stays; when
 * descriptors or memory run out it rests, because a level-triggered readable
 * listener would otherwise spin.
 */
#include "base/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"

enum { BATCH = 64, FIRST_REST_MS = 100, LONGEST_REST_MS = 1000 };

struct listener {
	struct loop *loop;
	int fd;      /* -1 once freed */
	int reserve; /* given up for a moment, so that one client can be closed */
	bool draining;
	bool is_resting; /* until a connection is accepted again */
	uint64_t rest_ms;
	struct watch watch;
	struct timer timer;
	struct task reap;
	void (*on_accept)(void *arg, int fd, const struct address *peer);
	void *arg;
};

static int
open_reserve(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void
close_one_client(struct listener *listener)
{
	int fd;

	if (listener->reserve < 0)
		return;
	close(listener->reserve);
	fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0)
		close(fd);
	listener->reserve = open_reserve();
}

static void
rest(struct listener *listener, int why)
{
	if (why == EMFILE || why == ENFILE)
		close_one_client(listener);
	if (!listener->is_resting)
		log_limited(LOG_WARNING, "accept-paused", NULL,
		    "cannot accept connections for a moment", log_str("error", strerror(why)));
	listener->is_resting = true;
	watch_want(&listener->watch, WATCH_NOTHING);
	timer_set(&listener->timer, listener->rest_ms);
	listener->rest_ms *= 2;
	if (listener->rest_ms > LONGEST_REST_MS)
		listener->rest_ms = LONGEST_REST_MS;
}

static void
note_accepted(struct listener *listener)
{
	listener->rest_ms = FIRST_REST_MS;
	if (listener->is_resting)
		log_limited(LOG_INFO, "accept-resumed", NULL, "connections are accepted again");
	listener->is_resting = false;
}

/* Whether the error is of one connection and not of the listener (accept(2), "Error handling"). */
static bool
concerns_one_client(int error)
{
	static const int errors[] = { ECONNABORTED, EINTR, EPROTO, EPERM, ENETDOWN, ENOPROTOOPT,
		EHOSTDOWN, ENONET, EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH, ETIMEDOUT };

	for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
		if (errors[i] == error)
			return true;
	}
	return false;
}

/* False ends the batch. */
static bool
accept_one(struct listener *listener)
{
	struct sockaddr_storage from;
	socklen_t bytes = sizeof from;
	int fd =
	    accept4(listener->fd, (struct sockaddr *)&from, &bytes, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct address peer;

	if (fd >= 0) {
		note_accepted(listener);
		address_from(&peer, (struct sockaddr *)&from, bytes);
		listener->on_accept(listener->arg, fd, &peer);
		return true;
	}
	if (errno == EAGAIN)
		return false;
	if (concerns_one_client(errno))
		return true;
	rest(listener, errno);
	return false;
}

static void
on_ready(void *arg, unsigned ready)
{
	struct listener *listener = arg;

	(void)ready;
	for (int i = 0; i < BATCH && listener->fd >= 0 && !listener->draining; i++) {
		if (!accept_one(listener))
			return;
	}
}

static void
on_time(void *arg)
{
	struct listener *listener = arg;

	if (listener->reserve < 0)
		listener->reserve = open_reserve();
	watch_want(&listener->watch, WATCH_READ);
}

static void
reap(void *arg)
{
	free(arg);
}

struct listener *
listener_new(
    struct loop *loop, int fd, void (*on_accept)(void *, int, const struct address *), void *arg)
{
	struct listener *listener = calloc(1, sizeof *listener);

	if (!listener) {
		close(fd);
		return NULL;
	}
	*listener = (struct listener){ .loop = loop,
		.fd = fd,
		.reserve = open_reserve(),
		.rest_ms = FIRST_REST_MS,
		.on_accept = on_accept,
		.arg = arg };
	/* Accepted sockets inherit these: no system call per connection. */
	socket_prepare(fd);
	watch_init(&listener->watch, loop, fd, on_ready, listener);
	timer_init(&listener->timer, loop, on_time, listener);
	task_init(&listener->reap, reap, listener);
	watch_want(&listener->watch, WATCH_READ);
	return listener;
}

void
listener_pause(struct listener *listener)
{
	listener->draining = true;
	timer_clear(&listener->timer);
	watch_want(&listener->watch, WATCH_NOTHING);
}

void
listener_free(struct listener *listener)
{
	if (!listener)
		return;
	timer_clear(&listener->timer);
	watch_wipe(&listener->watch);
	close(listener->fd);
	if (listener->reserve >= 0)
		close(listener->reserve);
	listener->fd = listener->reserve = -1;
	loop_later(listener->loop, &listener->reap);
}
