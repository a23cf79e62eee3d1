/*
 * Between GnuTLS and the stream below: large reads, large writes.
 *
 * GnuTLS asks for a record in two pieces and pushes each record that it made.
 * So a call that reads or writes borrows a room of its thread, in which many
 * records come, or go, with one call of the stream below.  When the call is over
 * the room is empty again.  What a reader of single records leaves of it stays
 * with the session, raw; half a record is kept by GnuTLS.
 *
 * GnuTLS's own way to resume an interrupted write loses or repeats a record
 * when the peer's KeyUpdate arrives in between (3.7.9: the pending record is
 * flushed by the update, and then the same bytes are sent again).  So GnuTLS
 * is never interrupted: tls_push() takes everything, and what the stream below
 * has no room for waits, encrypted, in the outbox: what one write has made.
 */
#include <errno.h>
#include <string.h>
#include <threads.h>

#include "base/memory.h"
#include "base/numbers.h"
#include "tunnel/tls_private.h"

/* Two, since TLS is never in TLS in TLS. Shared by the calls on one thread's stack; one that finds
 * none does without. */
static thread_local struct tls_room rooms[2];
static thread_local unsigned rooms_lent;

void
tls_borrow_room(struct tls *tls, bool is_for_writing, size_t most)
{
	if (rooms_lent == sizeof rooms / sizeof *rooms)
		return;
	struct tls_room *room = &rooms[rooms_lent++];
	room->is_for_writing = is_for_writing;
	room->has_enough = false;
	room->most = smaller_of(most, sizeof room->data);
	room->at = room->bytes = 0;
	tls->room = room;
}

bool
tls_return_room(struct tls *tls)
{
	struct tls_room *room = tls->room;
	bool is_kept = true;
	if (!room)
		return true;
	if (!room->is_for_writing && tls->read_end == IO_OK)
		is_kept = buffer_add(&tls->ahead, room->data + room->at, room->bytes - room->at);
	if (!is_kept)
		memory_short("a TLS connection that was read from");
	tls->room = NULL;
	rooms_lent--;
	return is_kept;
}

bool
tls_return_ahead(struct tls *tls)
{
	if (!stream_unread(tls->under, buffer_front(&tls->ahead), buffer_left(&tls->ahead)))
		return false;
	buffer_drop(&tls->ahead);
	return true;
}

bool
tls_has_ahead(const struct tls *tls)
{
	const struct tls_room *room = tls->room;
	return buffer_left(&tls->ahead) > 0 || (room && room->at < room->bytes);
}

void
tls_read_no_more(struct tls *tls)
{
	if (tls->room)
		tls->room->has_enough = true;
}

/* What was read in an earlier call comes first; the room is empty then. */
static size_t
take_ahead(struct tls *tls, void *data, size_t bytes)
{
	struct tls_room *room = tls->room;
	size_t kept = buffer_left(&tls->ahead);
	if (kept > 0) {
		bytes = smaller_of(bytes, kept);
		memcpy(data, buffer_front(&tls->ahead), bytes);
		buffer_take(&tls->ahead, bytes);
		return bytes;
	}
	bytes = smaller_of(bytes, room->bytes - room->at);
	memcpy(data, room->data + room->at, bytes);
	room->at += bytes;
	return bytes;
}

/* Our flight waits in the outbox, and before it is out the peer has nothing to say that would be worth a
 * call: its descriptor announces what comes. */
static bool
is_answer_due(const struct tls *tls)
{
	return tls->state == TLS_SHAKING && buffer_left(&tls->out) > 0 &&
	    stream_unread_left(tls->under) == 0;
}

/* A piece that is larger than what may be read ahead goes straight to GnuTLS. */
static enum io
read_below(struct tls *tls, void *data, size_t bytes, size_t *done)
{
	struct tls_room *room = tls->room;
	if (tls_has_ahead(tls)) {
		*done = take_ahead(tls, data, bytes);
		return IO_OK;
	}
	if (is_answer_due(tls))
		return IO_READ;
	if (!room || room->is_for_writing)
		return stream_read(tls->under, data, bytes, done);
	if (room->has_enough)
		return IO_READ;
	size_t most = difference(room->most, tls_record_begun(&tls->record));
	if (most <= bytes)
		return stream_read(tls->under, data, bytes, done);
	room->at = room->bytes = 0;
	enum io io = stream_read(tls->under, room->data, most, &room->bytes);
	room->has_enough = tls->under->is_dry;
	if (io == IO_OK)
		*done = take_ahead(tls, data, bytes);
	return io;
}

ssize_t
tls_pull(gnutls_transport_ptr_t arg, void *data, size_t bytes)
{
	struct tls *tls = arg;
	size_t done;
	enum io io = read_below(tls, data, bytes, &done);
	if (io == IO_OK) {
		tls_record_follow(&tls->record, data, done);
		return (ssize_t)done;
	}
	tls->below = io;
	if (io == IO_EOF)
		return 0;
	gnutls_transport_set_errno(tls->session,
	    io == IO_RESET        ? ECONNRESET
		: io == IO_FAILED ? EIO
				  : EAGAIN);
	return -1;
}

enum io
tls_flush(struct tls *tls)
{
	size_t done;
	while (buffer_left(&tls->out) > 0 && tls->write_end == IO_OK) {
		enum io io = stream_write(
		    tls->under, buffer_front(&tls->out), buffer_left(&tls->out), &done);
		if (io_must_wait(io))
			return io;
		if (io == IO_OK)
			buffer_take(&tls->out, done);
		else
			tls->write_end = io;
	}
	if (tls->write_end != IO_OK)
		buffer_drop(&tls->out);
	return tls->write_end;
}

/* Writes straight to the stream below as far as that takes it; *sent: how much it took. */
static enum io
push_down(struct tls *tls, const uint8_t *data, size_t bytes, size_t *sent)
{
	size_t done;
	enum io io = tls->write_end;
	*sent = 0;
	while (io == IO_OK && *sent < bytes) {
		io = stream_write(tls->under, data + *sent, bytes - *sent, &done);
		*sent += done;
	}
	if (io != IO_OK && !io_must_wait(io))
		tls->write_end = io;
	return io;
}

static void
keep_out(struct tls *tls, const uint8_t *data, size_t bytes)
{
	if (tls->write_end != IO_OK || buffer_add(&tls->out, data, bytes))
		return;
	memory_short("a TLS connection that was to be written to");
	tls->write_end = IO_FAILED;
}

enum io
tls_send_staged(struct tls *tls)
{
	struct tls_room *room = tls->room;
	size_t sent;
	if (!room || room->bytes == 0)
		return tls_flush(tls);
	enum io io = push_down(tls, room->data, room->bytes, &sent);
	keep_out(tls, room->data + sent, room->bytes - sent);
	room->bytes = 0;
	return tls->write_end != IO_OK ? tls->write_end : io;
}

bool
tls_can_stage(const struct tls *tls, size_t bytes)
{
	const struct tls_room *room = tls->room;
	return room && buffer_left(&tls->out) == 0 &&
	    bytes + TLS_RECORD_SLACK <= sizeof room->data - room->bytes;
}

static bool
stage(struct tls *tls, const giovec_t *iov)
{
	struct tls_room *room = tls->room;
	if (!room || !room->is_for_writing || buffer_left(&tls->out) > 0 ||
	    iov->iov_len > sizeof room->data - room->bytes)
		return false;
	memcpy(room->data + room->bytes, iov->iov_base, iov->iov_len);
	room->bytes += iov->iov_len;
	return true;
}

/* Without a room a single record is not copied; a flight of several is joined, to save system calls and
 * segments: that of a handshake, which GnuTLS pushes in several calls, goes out with the step's end.
 * Never fails: GnuTLS would refuse to read on, and what the peer said before it stopped listening must
 * still be heard. */
ssize_t
tls_push(gnutls_transport_ptr_t arg, const giovec_t *iov, int count)
{
	struct tls *tls = arg;
	size_t total = 0;
	for (int i = 0; i < count; i++) {
		size_t sent = 0;
		total += iov[i].iov_len;
		if (stage(tls, &iov[i]))
			continue;
		if (tls->room && tls->room->is_for_writing)
			tls_send_staged(tls);
		if (count == 1 && tls->state != TLS_SHAKING && buffer_left(&tls->out) == 0)
			push_down(tls, iov->iov_base, iov->iov_len, &sent);
		keep_out(tls, (const uint8_t *)iov[i].iov_base + sent, iov[i].iov_len - sent);
	}
	return (ssize_t)total;
}
