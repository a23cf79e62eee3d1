/*
 * A TLS object as a stream: bytes in and out of records, and how each direction ends.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/numbers.h"
#include "tunnel/tls_private.h"

enum {
	/* With a slow start a record that fills many segments would have the peer wait for all of
	 * them before it sees the first byte. */
	RECORD_SMALL = 4096,
	RECORD_SMALL_UNTIL = 64 * 1024,
	PAUSE_MS = 1000,
};

/* RFC 5246 §7.2.2: no_renegotiation is a warning, and both go on. For a peer who does not read, each of
 * them waits in our memory, so that he does not get many. GnuTLS has put the client's hello among what is
 * to be read, where the next call finds something else than bytes, once, and drops it. */
static enum io
refuse_renegotiation(struct tls *tls)
{
	enum { REFUSALS_MOST = 8 };
	uint8_t byte;
	if (buffer_left(&tls->out) == 0)
		tls->renegotiations = 0;
	if (tls->renegotiations == REFUSALS_MOST)
		return tls_fail(tls, GNUTLS_E_TOO_MANY_HANDSHAKE_PACKETS);
	tls->renegotiations++;
	if (gnutls_record_recv(tls->session, &byte, sizeof byte) != GNUTLS_E_UNEXPECTED_PACKET)
		return tls_fail(tls, GNUTLS_E_REHANDSHAKE);
	gnutls_alert_send(tls->session, GNUTLS_AL_WARNING, GNUTLS_A_NO_RENEGOTIATION);
	return IO_OK;
}

/* RFC 5246 §7.4.1.1 lets a client ignore a HelloRequest. Its other way, the same warning, is fatal to
 * servers of OpenSSL, and so would be to a healthy flow. */
static enum io
judge_renegotiation(struct tls *tls)
{
	return tls->config->purpose->is_server ? refuse_renegotiation(tls) : IO_OK;
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
		if (tls->below == IO_OK || io_must_wait(tls->below))
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

/* One record, or, for a reader that has room for several, all that come with one call of the stream
 * below. How the reading ends behind them is told the next time. */
static enum io
read_records(struct tls *tls, uint8_t *data, size_t bytes, size_t *done)
{
	for (int idle = 0; idle < TLS_ROUNDS_MOST; idle++) {
		tls->below = IO_OK;
		ssize_t got = gnutls_record_recv(tls->session, data + *done, bytes - *done);
		if (got > 0) {
			*done += (size_t)got;
			if (bytes < TLS_SEVERAL || *done == bytes || !tls_has_ahead(tls))
				return IO_OK;
			tls_read_no_more(tls);
			idle = 0;
			continue;
		}
		enum io io = judge_read(tls, got);
		if (io != IO_OK)
			return *done ? IO_OK : io;
	}
	enum io io = tls_fail(tls, GNUTLS_E_TOO_MANY_EMPTY_PACKETS);
	return *done ? IO_OK : io;
}

static enum io
read_on(struct stream *s, void *data, size_t bytes, size_t *done)
{
	struct tls *tls = (struct tls *)s;
	if (tls->read_end != IO_OK)
		return tls->read_end;
	tls_borrow_room(tls, false, bytes < TLS_SEVERAL ? TLS_AHEAD_ONE : bytes);
	enum io io = read_records(tls, data, bytes, done);
	if (!tls_return_room(tls))
		io = tls_fail(tls, GNUTLS_E_MEMORY_ERROR);
	/* GnuTLS has nothing left of a record that left room. */
	s->is_dry = io == IO_OK && tls->read_end == IO_OK && *done < bytes && tls->under->is_dry &&
	    !tls_has_ahead(tls);
	return io;
}

/* How many of the bytes that are left the next record has. */
static size_t
record_bytes(const struct tls *tls, size_t left)
{
	size_t most = tls->burst < RECORD_SMALL_UNTIL ? RECORD_SMALL
	    : tls->config->purpose->uses_key          ? TLS_RECORD_OUTER
						      : TLS_RECORD_INNER;
	return smaller_of(left, most);
}

static void
note_burst(struct tls *tls)
{
	uint32_t now = (uint32_t)clock_ms();
	if (now - tls->wrote_ms >= PAUSE_MS)
		tls->burst = 0;
	tls->wrote_ms = now;
}

/* At least one record, and as many as can leave together. False: GnuTLS refuses. */
static bool
write_records(struct tls *tls, const uint8_t *data, size_t bytes)
{
	size_t left = bytes;
	note_burst(tls);
	do {
		ssize_t got =
		    gnutls_record_send(tls->session, data + tls->accepted, record_bytes(tls, left));
		if (got <= 0)
			return false;
		tls->accepted += (uint32_t)got;
		left -= (size_t)got;
		if (tls->burst < RECORD_SMALL_UNTIL)
			tls->burst += (uint32_t)got;
	} while (left > 0 && tls_can_stage(tls, record_bytes(tls, left)));
	return true;
}

static enum io
write_fresh(struct tls *tls, const void *data, size_t bytes)
{
	tls_borrow_room(tls, true, 0);
	bool is_fine = write_records(tls, data, bytes);
	enum io io = tls_send_staged(tls);
	tls_return_room(tls);
	return is_fine ? io : IO_FAILED;
}

/* Bytes count as written once they are with the stream below, as far as one can tell: ciphertext is
 * longer, so not more of them are left than of it. */
static size_t
count_written(struct tls *tls)
{
	size_t done = difference(tls->accepted, buffer_left(&tls->out));
	tls->accepted -= (uint32_t)done;
	return done;
}

static enum io
write_on(struct stream *s, const void *data, size_t bytes, size_t *done)
{
	struct tls *tls = (struct tls *)s;
	if (tls->state != TLS_OPEN || tls->closing != TLS_WRITING)
		return IO_FAILED;
	tls->under->ends_next = s->ends_next;
	enum io io = tls_flush(tls);
	if (io == IO_OK && tls->accepted == 0 && bytes > 0)
		io = write_fresh(tls, data, bytes);
	if (io != IO_OK && !io_must_wait(io))
		return io;
	*done = count_written(tls);
	if (io != IO_OK || *done)
		return *done ? IO_OK : io;
	return stream_write(tls->under, data, 0, done);
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
	tls->under->ends_next = true;
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

static size_t
held(const struct stream *s)
{
	const struct tls *tls = (const struct tls *)s;
	return tls->out.room + stream_held(tls->under);
}

/* What the connection did is in the answers of its calls; an alert is in nobody else's words. */
static const char *
fault(const struct stream *s)
{
	const struct tls *tls = (const struct tls *)s;
	return tls->alert_sent || tls->alert_received ? tls_error(tls) : NULL;
}

static bool
was_silent(struct stream *s)
{
	return stream_was_silent(((struct tls *)s)->under);
}

const struct stream_kind tls_kind = { read_on, write_on, finish, settle, linger, is_broken, reset,
	free_all, held, fault, was_silent };
