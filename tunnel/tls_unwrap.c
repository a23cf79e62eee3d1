/*
 * The end of TLS on a connection that goes on without it, see
 * valise-protocol(7), "Joined: the carrier handoff".
 */
#include "tunnel/tls_private.h"

void
tls_hush(struct tls *tls)
{
	tls->closing = TLS_FINISHED;
}

/* GnuTLS tells this hook of the messages behind the handshake, too. */
static int
on_key_update(gnutls_session_t session, unsigned type, unsigned when, unsigned is_incoming,
    const gnutls_datum_t *message)
{
	struct tls *tls = gnutls_session_get_ptr(session);
	(void)type;
	(void)when;
	(void)is_incoming;
	(void)message;
	tls->has_new_keys = true;
	return 0;
}

void
tls_watch_keys(struct tls *tls)
{
	gnutls_handshake_set_hook_function(
	    tls->session, GNUTLS_HANDSHAKE_KEY_UPDATE, GNUTLS_HOOK_PRE, on_key_update);
}

bool
tls_is_at_border(const struct tls *tls)
{
	return tls->state == TLS_OPEN && tls->read_end == IO_OK && !tls->has_new_keys &&
	    stream_unread_left(&tls->stream) == 0 && tls_record_is_whole(&tls->record) &&
	    gnutls_record_check_pending(tls->session) == 0;
}

enum io
tls_await_bare(struct tls *tls)
{
	uint8_t byte;
	size_t done;
	if (tls_has_ahead(tls))
		return IO_FAILED;
	enum io io = stream_read(tls->under, &byte, sizeof byte, &done);
	return io == IO_OK ? IO_FAILED : io;
}

struct stream *
tls_unwrap(struct tls *tls)
{
	struct stream *under = tls->under;
	if (!tls_is_at_border(tls) ||
	    !stream_queue(under, buffer_front(&tls->out), buffer_left(&tls->out)) ||
	    !tls_return_ahead(tls))
		return NULL;
	tls->under = NULL;
	tls_free(tls);
	return under;
}
