/*
 * A stream: two directions of bytes over one descriptor, either a plain socket
 * or TLS over another stream (tls.h).  Never blocks, never loops, never logs,
 * knows no event loop: an operation says what to wait for, and its caller waits.
 *
 * A call that answers IO_READ or IO_WRITE has done nothing that the caller
 * need remember but this: repeat the same call (a write with at least the same
 * bytes in front) when the descriptor is readable or writable.
 *
 * An end and a reset are two facts, and reading tells which of the two it was,
 * for good: IO_EOF only if the peer's FIN (close_notify) has been read and no
 * call before has met a reset, whichever call that was.  Connections that time
 * out or whose host is gone count as reset.  So a caller that fails to write
 * reads on: it still gets the bytes from before, and then the truth about the
 * end.
 */
#ifndef TUNNEL_STREAM_H
#define TUNNEL_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum io {
	IO_OK,     /* progress: *done bytes, at least one */
	IO_READ,   /* wait until the descriptor is readable */
	IO_WRITE,  /* wait until it is writable */
	IO_EOF,    /* read: the peer has finished, properly (FIN; close_notify in TLS);
			 * write, finish: it takes no more, but no reset has been seen (EPIPE) */
	IO_RESET,  /* the peer has reset or is gone, or has cut TLS short without close_notify */
	IO_FAILED, /* broken by us or by the protocol; the stream is of no more use */
};

static inline bool
io_must_wait(enum io io)
{
	return io == IO_READ || io == IO_WRITE;
}

struct stream;

struct stream_kind {
	enum io (*read)(struct stream *, void *, size_t, size_t *done);
	enum io (*write)(struct stream *, const void *, size_t, size_t *done);
	enum io (*finish)(struct stream *);
	enum io (*settle)(struct stream *);
	enum io (*linger)(struct stream *);
	bool (*is_broken)(const struct stream *);
	void (*reset)(struct stream *);
	void (*free)(struct stream *);
	size_t (*held)(const struct stream *);       /* NULL: nothing of its own */
	const char *(*fault)(const struct stream *); /* NULL: it has no words for one */
	bool (*was_silent)(struct stream *);         /* NULL: never */
};

struct stream_unread;

/* First member of every kind of stream. */
struct stream {
	const struct stream_kind *kind;
	/* Owned; what stream_unread() put back and stream_queue() added; NULL: nothing. */
	struct stream_unread *unread;
	int fd; /* to wait on; for TLS, that of the lowest stream */
	/* What the last read gave was all that the kernel had, and nothing is held back: to read on
	 * would most likely say IO_READ. */
	bool is_dry : 1;
	/* Set by who writes his last: stream_finish() follows at once, so that bytes and end leave
	 * together. */
	bool ends_next : 1;
	/* Said by who puts bytes back: there was nothing behind them, and an edge (base/loop.h) will tell. */
	bool is_dry_behind : 1;
	/* A socket's own. */
	bool is_finished : 1, was_reset : 1, was_silent : 1, is_domain_known : 1, is_unix : 1;
	bool has_ended : 1; /* its FIN was read */
};

/* Adopts the descriptor (closes it when memory is short, and returns NULL). */
struct stream *stream_socket(int fd);

/* Bytes put back with stream_unread() come first. A stream may hold bytes that no event will
 * announce: read until it answers something else than IO_OK before waiting. */
enum io stream_read(struct stream *, void *, size_t, size_t *done);
/* What has not been written yet is written next, also after a write that took a part of it.
 * Without bytes it flushes what is inside (IO_OK, *done 0, when all is with the kernel). */
enum io stream_write(struct stream *, const void *, size_t, size_t *done);
/* No more writes: what is inside goes out, then close_notify if TLS, then FIN. IO_OK when all of it
 * is with the kernel. Reading goes on. Harmless twice. */
enum io stream_finish(struct stream *);
/* Once both directions are over: throws away what still stands before the FIN (the close_notify of
 * a TLS below, say), because closing with unread bytes makes the kernel send RST, and that destroys
 * what the peer has not read yet. IO_READ, IO_WRITE: wait, call again; else it may be freed. The
 * caller bounds the time. */
enum io stream_settle(struct stream *);
/* After a read's IO_FAILED: if the stream has a last word for its peer (an alert of TLS), that
 * goes out, then the end of the stream below, and what still comes is thrown away until the peer
 * has closed, too: a reset would destroy the word. IO_READ, IO_WRITE: wait, call again; IO_OK: the
 * peer has had it; else there is none to be had. The caller bounds the time. */
enum io stream_linger(struct stream *);
/* The connection has been reset or has timed out, as far as the kernel knows, whatever there still
 * is to be read. This is a system call, for callers that do not wait on the descriptor. */
bool stream_is_broken(const struct stream *);
/* Of a stream that has met IO_RESET or is broken: whether nobody has reset it, but our kernel has given up
 * a peer's that answered no more (RFC 9293 §3.8.3, RFC 1122 §4.2.3.6).  It may take the error from the
 * socket, so ask when nothing else will be asked of the stream. */
bool stream_was_silent(struct stream *);
/* stream_free() will reset the connection (RST; no close_notify). */
void stream_reset(struct stream *);
/* Closes the descriptor; NULL is fine. */
void stream_free(struct stream *);
/* Puts bytes in front of what is read next; false when memory is short. */
bool stream_unread(struct stream *, const void *, size_t);
/* How many such bytes are left: no descriptor event will announce them. */
size_t stream_unread_left(const struct stream *);
/* Adds to the bytes that go out in front of what is written next, or of the end; a write of no bytes
 * sends them. False when memory is short. */
bool stream_queue(struct stream *, const void *, size_t);

/* A bare stream whose peer's FIN was read: where nothing more is to be written, either, closing says so. */
bool stream_has_ended(const struct stream *);

/* Why TLS has ended the connection, if it was TLS that has: a sentence that names an alert, ours or the
 * peer's. NULL: nothing has, or the connection itself. Borrowed. */
const char *stream_fault(const struct stream *);

/* How much memory of ours is taken by what waits in it to go out. */
size_t stream_held(const struct stream *);

/* Nothing but its socket: what is read next is what the kernel has, and its descriptor announces it. */
bool stream_is_bare(const struct stream *);
/* A bare stream's socket: a reset that meets a splice into one may be lost. */
bool stream_is_unix(struct stream *);
/* As stream_read() and stream_write(), between a bare stream and a pipe (splice). The pipe that is
 * filled is empty before, or IO_READ might mean that it is full; the one that is emptied holds that
 * many bytes at least. The process ignores SIGPIPE. */
enum io stream_pull(struct stream *, int pipe, size_t bytes, size_t *done);
enum io stream_push(struct stream *, int pipe, size_t bytes, size_t *done);

#endif
