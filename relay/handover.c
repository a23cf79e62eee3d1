/* Hands over to a newer process: one socket, on which every thread may send. */
#include "relay/handover.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include "base/log.h"
#include "base/pass.h"
#include "relay/conn.h"

enum { QUEUE_BYTES = 1 << 20, READ_MOST = 64 };
enum state { IDLE, ASKED, PASSING, GIVEN, STATES };

struct handover {
	pthread_mutex_t lock; /* of fd, for those who send */
	int fd;               /* -1: none */
	_Atomic bool is_on;
	enum state state;
	struct watch watch;
	void (*on_event)(void *arg, enum handover_event);
	void *arg;
};

static void
move(struct handover *handover, enum state to)
{
	static const unsigned may_move[STATES] = {
		[IDLE] = 1u << ASKED,
		[ASKED] = 1u << PASSING | 1u << IDLE,
		[PASSING] = 1u << GIVEN | 1u << IDLE,
	};
	static const char *const state_name[STATES] = { "idle", "asked", "passing", "given" };

	assert(may_move[handover->state] & 1u << to);
	log_move("handover", log_i64("pid", getpid()), state_name[handover->state], state_name[to]);
	handover->state = to;
	atomic_store(&handover->is_on, to == PASSING || to == GIVEN);
}

struct handover *
handover_new(void)
{
	struct handover *handover = calloc(1, sizeof *handover);

	if (!handover)
		return NULL;
	handover->fd = -1;
	pthread_mutex_init(&handover->lock, NULL);
	return handover;
}

void
handover_free(struct handover *handover)
{
	if (!handover)
		return;
	if (handover->fd >= 0)
		close(handover->fd);
	pthread_mutex_destroy(&handover->lock);
	free(handover);
}

/* ---- to the newer one ---- */

/* The descriptor goes with the first of the parts.  False with errno. */
static bool
send_parts(struct handover *handover, struct iovec *parts, size_t count, int fd)
{
	bool fine = false;

	pthread_mutex_lock(&handover->lock);
	errno = EPIPE;
	if (handover->fd >= 0)
		fine = pass_send_parts(handover->fd, parts, count, fd);
	pthread_mutex_unlock(&handover->lock);
	return fine;
}

bool
handover_tell(struct handover *handover, enum handover_kind kind, int fd)
{
	uint8_t byte = (uint8_t)kind;
	struct iovec part = { &byte, 1 };

	return send_parts(handover, &part, 1, fd);
}

bool
handover_is_on(const struct handover *handover)
{
	return handover && atomic_load(&handover->is_on);
}

static void
log_passed(const struct conn *conn, bool fine)
{
	const struct address from = conn_client(conn);
	char client[ADDRESS_TEXT];
	int why = errno;

	log_limited(fine ? LOG_DEBUG : LOG_WARNING, fine ? "passed-on" : "not-passed-on", &from,
	    fine ? "it goes on in the process that takes over" : strerror(why),
	    log_str("client", address_text(&from, client)),
	    log_str("server_name", conn->hello.server_name));
}

static bool
send_conn(struct handover *handover, const struct conn *conn)
{
	struct handover_conn told = { .client = conn_client(conn),
		.listener = address_of_ip(conn->listener),
		.accepted_us = conn->accepted_us,
		.is_counted = conn->is_counted,
		.wire_bytes = conn->bytes };
	uint8_t head[HANDOVER_HEAD];
	struct iovec parts[2] = { { head, 0 }, { conn->wire, conn->bytes } };

	if (conn->told)
		told.told = *conn->told;
	parts[0].iov_len = handover_encode_conn(head, &told);
	errno = EMSGSIZE;
	return parts[0].iov_len > 0 && send_parts(handover, parts, 2, conn->fd);
}

bool
handover_send(struct handover *handover, const struct conn *conn)
{
	bool fine;

	if (!handover_is_on(handover) || conn->is_second_choice)
		return false;
	fine = send_conn(handover, conn);
	log_passed(conn, fine);
	return fine;
}

/* ---- our own copy of what was passed ---- */

struct closer {
	struct loop *loop;
	struct task task;
	int fd;
};

static void
close_it(void *arg)
{
	struct closer *closer = arg;

	close(closer->fd);
	free(closer);
}

static void
close_in_the_next_turn(void *arg)
{
	struct closer *closer = arg;

	task_init(&closer->task, close_it, closer);
	loop_later(closer->loop, &closer->task);
}

/* The socket lives on elsewhere, so that the kernel watches it until it is told not to (loop.h). */
void
handover_let_go(struct loop *loop, struct conn *conn)
{
	struct closer *closer = calloc(1, sizeof *closer);
	struct watch watch;

	watch_go_on(&watch, loop, conn->fd, NULL, NULL);
	watch_wipe(&watch);
	if (closer) {
		*closer = (struct closer){ .loop = loop, .fd = conn->fd };
		task_init(&closer->task, close_in_the_next_turn, closer);
		loop_later(loop, &closer->task);
		conn->fd = -1;
	}
	conn_wipe(conn);
}

/* ---- from the newer one ---- */

static void
let_go_of_socket(struct handover *handover)
{
	watch_wipe(&handover->watch);
	pthread_mutex_lock(&handover->lock);
	if (handover->fd >= 0)
		close(handover->fd);
	handover->fd = -1;
	pthread_mutex_unlock(&handover->lock);
}

static void
fail(struct handover *handover)
{
	let_go_of_socket(handover);
	move(handover, IDLE);
	handover->on_event(handover->arg, HANDOVER_FAILED);
}

static void
hear(struct handover *handover, enum handover_kind kind)
{
	if (kind == HANDOVER_READY && handover->state == ASKED) {
		move(handover, PASSING);
		handover->on_event(handover->arg, HANDOVER_IS_READY);
	} else if (kind == HANDOVER_ACCEPTING && handover->state == PASSING) {
		move(handover, GIVEN);
		handover->on_event(handover->arg, HANDOVER_IS_DONE);
	} else if (handover->state == GIVEN) {
		let_go_of_socket(handover);
		atomic_store(&handover->is_on, false);
	} else {
		fail(handover);
	}
}

/* False: it has said nothing yet. */
static bool
receive(const struct handover *handover, enum handover_kind *kind)
{
	struct handover_conn none;
	uint8_t data[16];
	int fd;
	ssize_t got = pass_receive(handover->fd, data, sizeof data, &fd);

	if (got < 0 && errno == EAGAIN)
		return false;
	if (fd >= 0)
		close(fd);
	*kind = got > 0 ? handover_decode(data, (size_t)got, &none) : 0;
	return true;
}

static void
on_ready(void *arg, unsigned ready)
{
	struct handover *handover = arg;
	enum handover_kind kind;

	(void)ready;
	if (receive(handover, &kind))
		hear(handover, kind);
}

bool
handover_begin(struct handover *handover, struct loop *loop, int *theirs,
    void (*on_event)(void *, enum handover_event), void *arg)
{
	const int bytes = QUEUE_BYTES;
	int pair[2];

	if (handover->state != IDLE || !pass_pair(pair))
		return false;
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
	pthread_mutex_lock(&handover->lock);
	handover->fd = pair[0];
	pthread_mutex_unlock(&handover->lock);
	*theirs = pair[1];
	handover->on_event = on_event;
	handover->arg = arg;
	watch_init(&handover->watch, loop, pair[0], on_ready, handover);
	watch_want(&handover->watch, WATCH_READ);
	move(handover, ASKED);
	return true;
}

/* After shutdown() nothing more can be said to us, so that what has been said is all. */
static bool
has_said_that_it_accepts(struct handover *handover)
{
	enum handover_kind kind = 0;

	watch_want(&handover->watch, WATCH_NOTHING);
	shutdown(handover->fd, SHUT_RD);
	return handover->state == PASSING && receive(handover, &kind) && kind == HANDOVER_ACCEPTING;
}

bool
handover_cancel(struct handover *handover)
{
	if (handover->state != ASKED && handover->state != PASSING)
		return handover->state == IDLE;
	if (has_said_that_it_accepts(handover)) {
		hear(handover, HANDOVER_ACCEPTING);
		return false;
	}
	handover_tell(handover, HANDOVER_CANCEL, -1);
	let_go_of_socket(handover);
	move(handover, IDLE);
	return true;
}

void
handover_stop(struct handover *handover)
{
	if (handover)
		watch_wipe(&handover->watch);
}
