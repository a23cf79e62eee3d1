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

enum { BATCH_MOST = 64, BATCHES_IN_A_ROW = 8, FIRST_REST_MS = 100, LONGEST_REST_MS = 1000 };

struct listener {
	struct loop *loop;
	int fd;
	int reserve; /* given up for a moment, so that one client can be closed */
	bool is_paused, is_freed;
	bool is_resting; /* until a connection is accepted again */
	uint64_t rest_ms;
	unsigned batch;    /* how many are accepted in a turn */
	unsigned in_a_row; /* so many batches were whole since it was set */
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

/* Only accept() itself tells that nobody else waits, which takes it nearly as long as for a
 * connection.  So a batch is as large as there were connections lately: one, where they come one by
 * one, and more where one was whole again and again. */
static void
set_batch(struct listener *listener, unsigned accepted)
{
	if (accepted < listener->batch) {
		listener->batch = accepted > 0 ? accepted : 1;
		listener->in_a_row = 0;
	} else if (++listener->in_a_row == BATCHES_IN_A_ROW && listener->batch < BATCH_MOST) {
		listener->batch *= 2;
		listener->in_a_row = 0;
	}
}

static void
on_ready(void *arg, unsigned ready)
{
	struct listener *listener = arg;
	unsigned accepted = 0;

	(void)ready;
	while (accepted < listener->batch && !listener->is_freed && !listener->is_paused &&
	    accept_one(listener))
		accepted++;
	set_batch(listener, accepted);
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
	struct listener *listener = arg;

	close(listener->fd);
	free(listener);
}

/* The socket may be shared with other workers (loop.h). */
static void
reap_in_the_next_turn(void *arg)
{
	struct listener *listener = arg;

	task_init(&listener->reap, reap, listener);
	loop_later(listener->loop, &listener->reap);
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
		.batch = 1,
		.on_accept = on_accept,
		.arg = arg };
	/* Accepted sockets inherit these: no system call per connection. */
	socket_prepare(fd);
	socket_keep_alive(fd);
	watch_init(&listener->watch, loop, fd, on_ready, listener);
	timer_init(&listener->timer, loop, on_time, listener);
	task_init(&listener->reap, reap_in_the_next_turn, listener);
	watch_want(&listener->watch, WATCH_READ);
	return listener;
}

void
listener_pause(struct listener *listener)
{
	listener->is_paused = true;
	timer_clear(&listener->timer);
	watch_want(&listener->watch, WATCH_NOTHING);
}

void
listener_resume(struct listener *listener)
{
	if (!listener->is_paused)
		return;
	listener->is_paused = false;
	on_time(listener);
}

void
listener_free(struct listener *listener)
{
	if (!listener)
		return;
	timer_clear(&listener->timer);
	watch_wipe(&listener->watch);
	if (listener->reserve >= 0)
		close(listener->reserve);
	listener->is_freed = true;
	loop_later(listener->loop, &listener->reap);
}
