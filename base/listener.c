/*
 * Accepting for ever.  Whatever accept() says, the listener stays.  When descriptors
 * run out, who waits is turned away by means of the one that is kept in reserve; when
 * memory does, nobody can be.  Then it rests, because a level-triggered readable
 * listener would otherwise spin.
 */
#include "base/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "base/shortage.h"

enum { BATCH_MOST = 64, BATCHES_IN_A_ROW = 8, REST_MS = 100 };

struct listener {
	struct loop *loop;
	int fd;
	int reserve; /* given up for a moment, so that who waits can be turned away */
	bool is_paused, is_freed;
	struct shortage shortage;
	uint64_t refused;  /* in this shortage */
	unsigned batch;    /* how many are accepted in a turn */
	unsigned in_a_row; /* so many batches were whole since it was set */
	struct watch watch;
	struct timer timer;
	struct task reap;
	void (*on_accept)(void *arg, int fd, const struct address *peer);
	void (*on_refuse)(int fd);
	void *arg;
};

static int
open_reserve(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* False: nobody waits, or another thread was quicker. */
static bool
refuse_one(struct listener *listener)
{
	int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return false;
	if (listener->on_refuse)
		listener->on_refuse(fd);
	close(fd);
	listener->refused++;
	return true;
}

/* Whoever is turned away can go elsewhere, or come again; in the queue he would wait for his own
 * deadline.  One descriptor is enough for all of them, one after the other.  True: more may wait. */
static bool
refuse_batch(struct listener *listener)
{
	unsigned count = 0;

	if (listener->reserve < 0)
		return false;
	close(listener->reserve);
	while (count < BATCH_MOST && refuse_one(listener))
		count++;
	listener->reserve = open_reserve();
	return count == BATCH_MOST;
}

/* Nobody can be accepted now. */
static void
bear_shortage(struct listener *listener, int why)
{
	bool is_first = shortage_begins(&listener->shortage), goes_on = false;

	if (is_first)
		listener->refused = 0;
	if (why == EMFILE || why == ENFILE)
		goes_on = refuse_batch(listener);
	if (is_first || shortage_is_due(&listener->shortage))
		log_limited(LOG_WARNING, "accept-paused", NULL,
		    "connections cannot be accepted now", log_str("error", strerror(why)),
		    log_u64("refused", listener->refused),
		    log_u64("lasted_s", shortage_lasted_s(&listener->shortage)));
	if (goes_on)
		return;
	watch_want(&listener->watch, WATCH_NOTHING);
	timer_set(&listener->timer, REST_MS);
}

/* Another thread may have taken what was the reserve, while somebody was turned away by means of it. */
static void
note_accepted(struct listener *listener)
{
	if (listener->reserve < 0)
		listener->reserve = open_reserve();
	if (shortage_ends(&listener->shortage) > 0)
		log_limited(LOG_WARNING, "accept-resumed", NULL, "connections are accepted again",
		    log_u64("refused", listener->refused),
		    log_u64("lasted_s", shortage_lasted_s(&listener->shortage)));
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
	bear_shortage(listener, errno);
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

int
listener_descriptor(const struct listener *listener)
{
	return listener->fd;
}

void
listener_say(struct listener *listener, void (*on_refuse)(int fd))
{
	listener->on_refuse = on_refuse;
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
