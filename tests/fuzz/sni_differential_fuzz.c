/*
 * The parser against GnuTLS, in one process: a server session is fed the same
 * bytes.  GnuTLS has accepted when its post-client-hello callback is reached.
 *
 * What GnuTLS refuses while parsing, we refuse; what both accept has the same
 * name and the same ALPN list.  We may refuse more than GnuTLS does.  The
 * differences that are allowed in the other direction are those of allowed().
 */
#include <ctype.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sni/clienthello.h"
#include "tests/fuzz/sni_shape.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ALPN_MOST = 31 };	/* the longest name that GnuTLS takes for its own */

struct input {
	const uint8_t *data;
	size_t size;
	size_t at;
	const struct clienthello *ours;
	bool reached;		/* the post-client-hello callback */
	bool has_alpn;
	size_t offered_bytes;	/* of the one protocol that GnuTLS was told to speak */
};

static void
report(const struct input *in, const char *what, const char *detail)
{
	fprintf(stderr, "DIFFERENCE: %s (%s); we say %s %s, name \"%s\"\n", what, detail,
	    clienthello_verdict_name(in->ours->verdict), clienthello_reason(in->ours),
	    in->ours->server_name);
	abort();
}

/* ---- GnuTLS on the bytes ---- */

static ssize_t
pull(gnutls_transport_ptr_t ptr, void *out, size_t size)
{
	struct input *in = ptr;
	size_t left = in->size - in->at;

	if (left == 0) {
		errno = EAGAIN;
		return -1;
	}
	if (size > left)
		size = left;
	memcpy(out, in->data + in->at, size);
	in->at += size;
	return (ssize_t)size;
}

static int
pull_timeout(gnutls_transport_ptr_t ptr, unsigned ms)
{
	const struct input *in = ptr;

	(void)ms;
	return in->at < in->size;
}

static ssize_t
push(gnutls_transport_ptr_t ptr, const void *data, size_t size)
{
	(void)ptr;
	(void)data;
	return (ssize_t)size;
}

/* The bytes of one extension as GnuTLS finds them against ours. */
static int
compare_alpn(void *context, unsigned type, const unsigned char *data, unsigned size)
{
	struct input *in = context;
	static uint8_t list[65536];
	size_t bytes;

	if (type != 16)
		return 0;
	in->has_alpn = true;
	bytes = clienthello_copy(&in->ours->alpn, in->data, list, sizeof list);
	if (!in->ours->has_alpn || bytes + 2 != size || memcmp(list, data + 2, bytes) != 0)
		report(in, "another ALPN list", "bytes");
	return 0;
}

static int
on_message(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
    const gnutls_datum_t *message)
{
	struct input *in = gnutls_session_get_ptr(session);
	int code;

	(void)type;
	(void)when;
	if (!incoming || in->ours->verdict != CLIENTHELLO_COMPLETE)
		return 0;
	if (message->size + 4 != in->ours->hello_bytes)
		report(in, "another length of the hello", "bytes");
	code = gnutls_ext_raw_parse(in, compare_alpn, message,
	    GNUTLS_EXT_RAW_FLAG_TLS_CLIENT_HELLO);
	if (code == GNUTLS_E_UNSUPPORTED_VERSION_PACKET)	/* it minds legacy_version */
		return 0;
	if (in->has_alpn != in->ours->has_alpn)
		report(in, "ALPN that only one sees", "presence");
	return 0;
}

static void
compare_name(struct input *in, gnutls_session_t session)
{
	static char theirs[65536], normalised[NAME_SIZE];
	size_t size = sizeof theirs;
	unsigned type = 0;
	int code = gnutls_server_name_get(session, theirs, &size, &type, 0);

	if (code == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE) {
		if (in->ours->has_name)
			report(in, "a name that only we see", "none");
		return;
	}
	if (code != 0)
		report(in, "GnuTLS has no name", gnutls_strerror_name(code));
	if (!name_normalise(normalised, theirs, size) ||
	    strcmp(normalised, in->ours->server_name) != 0)
		report(in, "another name", theirs);
}

static int
on_client_hello(gnutls_session_t session)
{
	struct input *in = gnutls_session_get_ptr(session);
	gnutls_datum_t selected;

	in->reached = true;
	if (in->ours->verdict != CLIENTHELLO_COMPLETE)
		return 0;
	compare_name(in, session);
	if (in->offered_bytes <= ALPN_MOST &&
	    in->ours->has_alpn != (gnutls_alpn_get_selected_protocol(session, &selected) == 0))
		report(in, "a protocol that only one sees", "ALPN");
	return 0;
}

/* GnuTLS looks into ALPN only if it has protocols of its own: one of the client's. */
static void
offer_alpn(gnutls_session_t session, struct input *in)
{
	char name[256] = "h2";
	size_t bytes = 2;
	gnutls_datum_t protocol;

	if (in->ours->verdict == CLIENTHELLO_COMPLETE && in->ours->has_alpn)
		clienthello_alpn(in->ours, in->data, 0, name, &bytes);
	in->offered_bytes = bytes;
	if (bytes > ALPN_MOST)
		bytes = ALPN_MOST;
	protocol.data = (unsigned char *)name;
	protocol.size = (unsigned)bytes;
	gnutls_alpn_set_protocols(session, &protocol, 1, GNUTLS_ALPN_SERVER_PRECEDENCE);
}

static int
ask_gnutls(struct input *in)
{
	static gnutls_priority_t priority;
	static gnutls_certificate_credentials_t credentials;
	gnutls_session_t session;
	int code;

	if (!priority) {
		gnutls_priority_init(&priority,
		    "NORMAL:+VERS-TLS1.0:+VERS-TLS1.1:+VERS-TLS1.2:+VERS-TLS1.3", NULL);
		gnutls_certificate_allocate_credentials(&credentials);
	}
	gnutls_init(&session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
	gnutls_priority_set(session, priority);
	gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
	gnutls_session_set_ptr(session, in);
	gnutls_transport_set_ptr(session, in);
	gnutls_transport_set_pull_function(session, pull);
	gnutls_transport_set_pull_timeout_function(session, pull_timeout);
	gnutls_transport_set_push_function(session, push);
	gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_CLIENT_HELLO,
	    GNUTLS_HOOK_PRE, on_message);
	gnutls_handshake_set_post_client_hello_function(session, on_client_hello);
	offer_alpn(session, in);
	do	/* it returns AGAIN once per partial record even if more is at hand */
		code = gnutls_handshake(session);
	while (code == GNUTLS_E_AGAIN && in->at < in->size && !in->reached);
	gnutls_deinit(session);
	return code;
}

/* ---- the judgement ---- */

/*
 * What we accept though GnuTLS refuses it: each line is a reason.
 */
static bool
allowed(const struct input *in, int code)
{
	switch (code) {
	case GNUTLS_E_UNSUPPORTED_VERSION_PACKET:	/* its version policy */
	case GNUTLS_E_INAPPROPRIATE_FALLBACK:		/* likewise: the fallback SCSV */
		return true;
	case GNUTLS_E_RECEIVED_DISALLOWED_NAME:		/* `_` is common, others take it */
		return strchr(in->ours->server_name, '_') != NULL;
	default:
		return false;
	}
}

/* Refusals behind the callback that are of form, not of policy. */
static bool
is_of_form(int code)
{
	return code == GNUTLS_E_UNEXPECTED_PACKET_LENGTH ||
	    code == GNUTLS_E_UNEXPECTED_EXTENSIONS_LENGTH;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct clienthello ours;
	struct input in = { .ours = &ours };
	int code;

	data = in.data = shape_stream(data, size, &in.size);
	size = in.size;
	clienthello_init(&ours, CLIENTHELLO_MOST_BYTES);
	clienthello_read(&ours, data, size);
	code = ask_gnutls(&in);
	if (ours.verdict != CLIENTHELLO_COMPLETE)
		return 0;	/* we may be stricter */
	if (!in.reached && !allowed(&in, code))
		report(&in, "GnuTLS refuses", gnutls_strerror_name(code));
	if (in.reached && is_of_form(code))
		report(&in, "GnuTLS refuses behind the callback", gnutls_strerror_name(code));
	return 0;
}
