/*
 * Bytes through TLS.
 *
 * GnuTLS's own way to resume an interrupted write loses or repeats a record
 * when the peer's KeyUpdate arrives in between (3.7.9: the pending record is
 * flushed by the update, and then the same bytes are sent again).  So GnuTLS
 * is never interrupted: tls_push() takes everything, and what the stream below
 * has no room for waits, encrypted, in the outbox: one record, rarely two.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "tunnel/tls_private.h"

enum io
tls_flush(struct tls *tls)
{
	size_t done;
	while (buffer_left(&tls->out) > 0 && tls->write_end == IO_OK) {
		enum io io = stream_write(
		    tls->under, buffer_front(&tls->out), buffer_left(&tls->out), &done);
		if (io == IO_READ || io == IO_WRITE)
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

/* Writes straight to the stream below as far as that takes it; returns how much it took. */
static size_t
push_down(struct tls *tls, const uint8_t *data, size_t bytes)
{
	size_t sent = 0, done;
	enum io io = IO_OK;
	while (io == IO_OK && sent < bytes) {
		io = stream_write(tls->under, data + sent, bytes - sent, &done);
		sent += done;
	}
	if (io != IO_OK && io != IO_READ && io != IO_WRITE)
		tls->write_end = io;
	return sent;
}

/* A single record is not copied; a flight of several is joined, to save system calls. Never fails:
 * GnuTLS would refuse to read on, and what the peer said before it stopped listening must still be
 * heard. */
ssize_t
tls_push(gnutls_transport_ptr_t arg, const giovec_t *iov, int count)
{
	struct tls *tls = arg;
	size_t sent = 0, total = 0;
	if (count == 1 && buffer_left(&tls->out) == 0 && tls->write_end == IO_OK)
		sent = push_down(tls, iov->iov_base, iov->iov_len);
	for (int i = 0; i < count; i++) {
		const uint8_t *from = iov[i].iov_base;
		total += iov[i].iov_len;
		if (tls->write_end == IO_OK &&
		    !buffer_add(&tls->out, from + sent, iov[i].iov_len - sent)) {
			memory_short("a TLS connection that was to be written to");
			tls->write_end = IO_FAILED;
		}
		sent = 0;
	}
	return (ssize_t)total;
}

ssize_t
tls_pull(gnutls_transport_ptr_t arg, void *data, size_t bytes)
{
	struct tls *tls = arg;
	size_t done;
	enum io io = stream_read(tls->under, data, bytes, &done);
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

/* RFC 5246 §7.4.1.1 lets a client ignore a HelloRequest. Its other way, the warning
 * no_renegotiation, is fatal to servers of OpenSSL, and so would be to a healthy flow. A client
 * that asks has to be refused: its hello stays in GnuTLS's way. */
static enum io
judge_renegotiation(struct tls *tls)
{
	return tls->config->purpose->is_server ? tls_fail(tls, GNUTLS_E_REHANDSHAKE) : IO_OK;
}

/* RFC 8446 §6: in TLS 1.3 an alert's code says what it means, and its level nothing. Before, a
 * warning is one. close_notify never was more than an end. */
static enum io
judge_alert(struct tls *tls, int got)
{
	if (gnutls_alert_get(tls->session) == GNUTLS_A_CLOSE_NOTIFY)
		return tls->read_end = IO_EOF;
	return tls_is_fatal(tls, got) ? tls_fail(tls, got) : IO_OK;
}

/* Says how an answer of GnuTLS other than bytes ends the reading, if it does; IO_OK: read again. */
static enum io
judge_read(struct tls *tls, ssize_t got)
{
	switch (got) {
	case 0:
		return tls->read_end = IO_EOF;
	case GNUTLS_E_AGAIN:
	case GNUTLS_E_INTERRUPTED:
		/* GnuTLS says so also when the end comes within the header of a record. */
		if (tls->below == IO_OK || tls->below == IO_READ || tls->below == IO_WRITE)
			return tls->below;
		got = GNUTLS_E_PREMATURE_TERMINATION;
		break;
	case GNUTLS_E_WARNING_ALERT_RECEIVED:
	case GNUTLS_E_FATAL_ALERT_RECEIVED:
		return judge_alert(tls, (int)got);
	case GNUTLS_E_REHANDSHAKE:
		return judge_renegotiation(tls);
	}
	/* Not even a peer that may end without close_notify may end within a record. */
	if (tls->below == IO_EOF && tls->is_forgiving && tls_record_is_whole(&tls->record))
		return tls->read_end = IO_EOF;
	return tls_fail(tls, (int)got);
}

static enum io
read_on(struct stream *s, void *data, size_t bytes, size_t *done)
{
	struct tls *tls = (struct tls *)s;
	if (tls->read_end != IO_OK)
		return tls->read_end;
	for (int round = 0; round < TLS_ROUNDS_MOST; round++) {
		tls->below = IO_OK;
		ssize_t got = gnutls_record_recv(tls->session, data, bytes);
		if (got > 0) {
			*done = (size_t)got;
			return IO_OK;
		}
		enum io io = judge_read(tls, got);
		if (io != IO_OK)
			return io;
	}
	return tls_fail(tls, GNUTLS_E_TOO_MANY_EMPTY_PACKETS);
}

/* The next record's bytes go in; they count as written once all of it is with the stream below. */
static enum io
write_on(struct stream *s, const void *data, size_t bytes, size_t *done)
{
	struct tls *tls = (struct tls *)s;
	if (tls->state != TLS_OPEN || tls->closing != TLS_WRITING)
		return IO_FAILED;
	enum io io = tls_flush(tls);
	if (io == IO_OK && tls->accepted == 0 && bytes > 0) {
		ssize_t got = gnutls_record_send(tls->session, data, bytes);
		if (got <= 0)
			return IO_FAILED;
		tls->accepted = (size_t)got;
		io = tls_flush(tls);
	}
	if (io != IO_OK)
		return io;
	*done = tls->accepted;
	tls->accepted = 0;
	return *done ? IO_OK : stream_write(tls->under, data, 0, done);
}

bool
tls_write_behind(struct tls *tls, const void *data, size_t bytes)
{
	const uint8_t *from = (const uint8_t *)data + tls->accepted;
	bytes -= tls->accepted;
	tls->accepted = 0;
	while (bytes > 0) {
		ssize_t got = gnutls_record_send(tls->session, from, bytes);
		if (got <= 0)
			return false;
		from += got;
		bytes -= (size_t)got;
	}
	return true;
}

bool
tls_update_key(struct tls *tls)
{
	return gnutls_session_key_update(tls->session, GNUTLS_KU_PEER) == 0;
}

/* RFC 8446 §6.1: close_notify ends our direction only; what comes is read on. A broken session has
 * sent its alert and says no more. */
static enum io
finish(struct stream *s)
{
	struct tls *tls = (struct tls *)s;
	if (tls->closing == TLS_FINISHED)
		return IO_OK;
	if (tls->closing == TLS_WRITING && tls->state == TLS_OPEN &&
	    gnutls_bye(tls->session, GNUTLS_SHUT_WR) < 0)
		return IO_FAILED;
	tls->closing = TLS_BYE_SAID;
	tls->accepted = 0;
	enum io io = tls_flush(tls);
	if (io == IO_OK)
		io = stream_finish(tls->under);
	if (io == IO_OK)
		tls->closing = TLS_FINISHED;
	return io;
}

static enum io
settle(struct stream *s)
{
	return stream_settle(((struct tls *)s)->under);
}

/* Only where an alert of ours is the last word. */
static enum io
linger(struct stream *s)
{
	struct tls *tls = (struct tls *)s;
	return tls->alert_sent && tls->write_end == IO_OK ? tls_linger(tls) : IO_FAILED;
}

static bool
is_broken(const struct stream *s)
{
	const struct tls *tls = (const struct tls *)s;
	return tls->write_end == IO_RESET || stream_is_broken(tls->under);
}

static void
reset(struct stream *s)
{
	stream_reset(((struct tls *)s)->under);
}

static void
free_all(struct stream *s)
{
	tls_free((struct tls *)s);
}

const struct stream_kind tls_kind = { read_on, write_on, finish, settle, linger, is_broken, reset,
	free_all };
