/*
 * Streams over plain sockets, and what all kinds have in common.
 */
#include "tunnel/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/socket.h"
#include "tunnel/buffer.h"

/* A hello and little more, and only while there is any. */
struct stream_unread {
	struct buffer queue; /* to be written before anything else */
	uint32_t at, bytes;
	uint8_t data[];
};

static void
drop_when_empty(struct stream *s)
{
	if (!s->unread || stream_unread_left(s) > 0 || buffer_left(&s->unread->queue) > 0)
		return;
	free(s->unread);
	s->unread = NULL;
}

enum io
stream_read(struct stream *s, void *data, size_t bytes, size_t *done)
{
	struct stream_unread *unread = s->unread;
	size_t left = stream_unread_left(s);
	*done = 0;
	s->is_dry = false;
	if (left == 0)
		return s->kind->read(s, data, bytes, done);
	*done = left < bytes ? left : bytes;
	memcpy(data, unread->data + unread->at, *done);
	unread->at += (uint32_t)*done;
	s->is_dry = s->is_dry_behind && *done == left;
	drop_when_empty(s);
	return IO_OK;
}

/* IO_OK: nothing is queued any more. */
static enum io
write_queue(struct stream *s)
{
	struct stream_unread *unread = s->unread;
	enum io io = IO_OK;
	size_t done;
	while (unread && io == IO_OK && buffer_left(&unread->queue) > 0) {
		done = 0;
		io = s->kind->write(
		    s, buffer_front(&unread->queue), buffer_left(&unread->queue), &done);
		buffer_take(&unread->queue, done);
	}
	drop_when_empty(s);
	return io;
}

enum io
stream_write(struct stream *s, const void *data, size_t bytes, size_t *done)
{
	enum io io = write_queue(s);
	*done = 0;
	return io == IO_OK ? s->kind->write(s, data, bytes, done) : io;
}

enum io
stream_finish(struct stream *s)
{
	enum io io = write_queue(s);
	return io == IO_OK ? s->kind->finish(s) : io;
}

enum io
stream_settle(struct stream *s)
{
	uint8_t waste[4096];
	size_t done;
	enum io io = IO_OK;
	if (stream_has_ended(s))
		return IO_OK;
	/* Bounded, so that nobody holds the loop: the caller does not wait for an edge. */
	for (int round = 0; round < 16 && io == IO_OK; round++)
		io = stream_read(s, waste, sizeof waste, &done);
	if (io == IO_OK)
		return IO_READ;
	return io_must_wait(io) ? io : s->kind->settle(s);
}

enum io
stream_linger(struct stream *s)
{
	return s->kind->linger(s);
}

bool
stream_is_broken(const struct stream *s)
{
	return s->kind->is_broken(s);
}

void
stream_reset(struct stream *s)
{
	s->kind->reset(s);
}

void
stream_free(struct stream *s)
{
	if (!s)
		return;
	if (s->unread)
		buffer_drop(&s->unread->queue);
	free(s->unread);
	s->kind->free(s);
}

bool
stream_unread(struct stream *s, const void *data, size_t bytes)
{
	if (bytes == 0)
		return true;
	size_t left = stream_unread_left(s);
	struct stream_unread *both = malloc(sizeof *both + bytes + left);
	if (!both) {
		memory_short("bytes that were read ahead, and their connection");
		return false;
	}
	*both = (struct stream_unread){ .bytes = (uint32_t)(bytes + left) };
	if (s->unread)
		both->queue = s->unread->queue;
	memcpy(both->data, data, bytes);
	if (left)
		memcpy(both->data + bytes, s->unread->data + s->unread->at, left);
	free(s->unread);
	s->unread = both;
	return true;
}

size_t
stream_unread_left(const struct stream *s)
{
	return s->unread ? s->unread->bytes - s->unread->at : 0;
}

bool
stream_queue(struct stream *s, const void *data, size_t bytes)
{
	if (bytes == 0)
		return true;
	if (!s->unread)
		s->unread = calloc(1, sizeof *s->unread);
	if (s->unread && buffer_add(&s->unread->queue, data, bytes))
		return true;
	memory_short("bytes that were to be sent first, and their connection");
	return false;
}

/*
 * The kernel tells once that a connection was reset (or has timed out): to the
 * first call that fails.  The next one hears EPIPE or, from recv(), an end that
 * looks like a FIN.  So it is remembered in the stream.
 */
static enum io
how_it_ended(const struct stream *s)
{
	return s->was_reset ? IO_RESET : IO_EOF;
}

/* The kernel's own verdict, not a peer's word: nothing was answered for too long.  What a router has said
 * meanwhile takes the place of ETIMEDOUT then (RFC 1122 §4.2.3.9). */
static bool
is_silence(int error)
{
	return error == ETIMEDOUT || error == EHOSTUNREACH || error == ENETUNREACH;
}

/* What a failed system call on a socket means for the connection. */
static enum io
judge(struct stream *s, int error, enum io wait)
{
	switch (error) {
	case EAGAIN:
		return wait;
	case EBADF:
	case EFAULT:
	case EINVAL:
	case ENOBUFS: /* of memory, not of room: no event would tell when there is some */
	case ENOMEM:
	case ENOTSOCK:
		return IO_FAILED;
	}
	/* Reset, timed out, unreachable: all say that the peer is gone without a FIN. */
	s->was_silent |= !s->was_reset && is_silence(error);
	s->was_reset = true;
	return IO_RESET;
}

static enum io
socket_read(struct stream *s, void *data, size_t bytes, size_t *done)
{
	ssize_t got;
	do
		got = recv(s->fd, data, bytes, 0);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return judge(s, errno, IO_READ);
	*done = (size_t)got;
	s->has_ended = got == 0 && !s->was_reset;
	s->is_dry = got > 0 && *done < bytes;
	return got ? IO_OK : how_it_ended(s);
}

/* How the kernel cuts what is sent to a unix socket: 32 KiB and what fits beside the first header. When
 * the reset comes between two pieces of one call, that call tells how much it has sent, and the reset is
 * forgotten: the next calls hear of a closed peer, as after an orderly end. So does splice(). */
enum { UNIX_SEND_BYTES = 32 * 1024 };

bool
stream_is_unix(struct stream *s)
{
	socklen_t bytes = sizeof(int);
	int domain = AF_UNSPEC;
	if (!s->is_domain_known && getsockopt(s->fd, SOL_SOCKET, SO_DOMAIN, &domain, &bytes) == 0)
		s->is_unix = domain == AF_UNIX;
	s->is_domain_known = true;
	return s->is_unix;
}

/* EPIPE: a FIN of the peer's came before whatever made it deaf, or its error has been told
 * already. */
static enum io
socket_write(struct stream *s, const void *data, size_t bytes, size_t *done)
{
	if (bytes == 0)
		return IO_OK;
	ssize_t sent;
	int flags = MSG_NOSIGNAL | (s->ends_next ? MSG_MORE : 0);
	if (bytes > UNIX_SEND_BYTES && stream_is_unix(s))
		bytes = UNIX_SEND_BYTES;
	do
		sent = send(s->fd, data, bytes, flags);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return errno == EPIPE ? how_it_ended(s) : judge(s, errno, IO_WRITE);
	*done = (size_t)sent;
	return IO_OK;
}

static ssize_t
splice_on(int from, int to, size_t bytes)
{
	ssize_t moved;
	do
		moved = splice(from, NULL, to, NULL, bytes, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
	while (moved < 0 && errno == EINTR);
	return moved;
}

enum io
stream_pull(struct stream *s, int pipe, size_t bytes, size_t *done)
{
	ssize_t got = splice_on(s->fd, pipe, bytes);
	*done = got > 0 ? (size_t)got : 0;
	if (got < 0)
		return judge(s, errno, IO_READ);
	s->has_ended = got == 0 && !s->was_reset;
	return got ? IO_OK : how_it_ended(s);
}

/* splice() sends in several pieces, and a reset between two of them is told to nobody: the call says how
 * much it has sent, and the next ones hear of a closed peer. The kernel's state still knows. */
static bool
is_gone(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t bytes = sizeof info;
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes) == 0 &&
	    info.tcpi_state == TCP_CLOSE;
}

enum io
stream_push(struct stream *s, int pipe, size_t bytes, size_t *done)
{
	ssize_t sent = splice_on(pipe, s->fd, bytes);
	*done = sent > 0 ? (size_t)sent : 0;
	if (sent < 0)
		return errno == EPIPE ? how_it_ended(s) : judge(s, errno, IO_WRITE);
	if ((size_t)sent < bytes && is_gone(s->fd))
		s->was_reset = true;
	return IO_OK;
}

/* ENOTCONN: the connection is over; shutdown() does not say how, and leaves the error to recv(). */
static enum io
socket_finish(struct stream *s)
{
	if (s->is_finished)
		return IO_OK;
	if (shutdown(s->fd, SHUT_WR) < 0)
		return errno == ENOTCONN ? how_it_ended(s) : judge(s, errno, IO_WRITE);
	s->is_finished = true;
	return IO_OK;
}

static enum io
socket_settle(struct stream *s)
{
	(void)s;
	return IO_OK;
}

/* POLLHUP alone would only say that both have finished. */
static bool
socket_is_broken(const struct stream *s)
{
	struct pollfd p = { .fd = s->fd };
	return s->was_reset || (poll(&p, 1, 0) > 0 && (p.revents & POLLERR));
}

/* An error that no call has met yet is taken from the socket. */
static bool
socket_was_silent(struct stream *s)
{
	int error = 0;
	socklen_t bytes = sizeof error;
	if (!s->was_reset && getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &bytes) == 0 &&
	    error != 0)
		judge(s, error, IO_READ);
	return s->was_silent;
}

/* A socket has no words of its own. */
static enum io
socket_linger(struct stream *s)
{
	(void)s;
	return IO_FAILED;
}

static void
socket_reset(struct stream *s)
{
	socket_reset_on_close(s->fd);
}

static void
socket_free(struct stream *s)
{
	close(s->fd);
	free(s);
}

static const struct stream_kind socket_kind = {
	socket_read,
	socket_write,
	socket_finish,
	socket_settle,
	socket_linger,
	socket_is_broken,
	socket_reset,
	socket_free,
	NULL,
	NULL,
	socket_was_silent,
};

size_t
stream_held(const struct stream *s)
{
	size_t queued = s->unread ? s->unread->queue.room : 0;
	return queued + (s->kind->held ? s->kind->held(s) : 0);
}

const char *
stream_fault(const struct stream *s)
{
	return s->kind->fault ? s->kind->fault(s) : NULL;
}

bool
stream_was_silent(struct stream *s)
{
	return s->kind->was_silent && s->kind->was_silent(s);
}

bool
stream_has_ended(const struct stream *s)
{
	return stream_is_bare(s) && s->has_ended;
}

bool
stream_is_bare(const struct stream *s)
{
	return s->kind == &socket_kind && !s->unread;
}

struct stream *
stream_socket(int fd)
{
	struct stream *s = calloc(1, sizeof *s);
	if (!s) {
		close(fd);
		return NULL;
	}
	s->kind = &socket_kind;
	s->fd = fd;
	return s;
}
