/* A TLS object: its making, its handshake, its errors and alerts, and its end. */
#include "tunnel/tls.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "tunnel/tls_private.h"

bool
tls_start(void)
{
	return gnutls_global_init() == 0;
}

void
tls_free(struct tls *tls)
{
	if (tls->session)
		gnutls_deinit(tls->session);
	tls_config_release(tls->config);
	stream_free(tls->under);
	buffer_drop(&tls->ahead);
	buffer_drop(&tls->out);
	secret_wipe(&tls->key);
	if (tls->owns_error)
		free((char *)(uintptr_t)tls->error);
	bytes_wipe(tls, sizeof *tls);
	free(tls);
}

static struct tls *
tls_new(
    struct tls_config *config, struct stream *under, const struct tls_hooks *hooks, unsigned side)
{
	struct tls *tls = calloc(1, sizeof *tls);
	if (!tls) {
		stream_reset(under);
		stream_free(under);
		return NULL;
	}
	tls->stream.kind = &tls_kind;
	tls->stream.fd = under->fd;
	tls->under = under;
	tls->config = tls_config_hold(config);
	if (hooks)
		tls->hooks = *hooks;
	/* Tickets of TLS 1.3 may be allowed once the hello is there. */
	unsigned tickets = GNUTLS_NO_TICKETS | GNUTLS_NO_TICKETS_TLS12;
	if (gnutls_init(&tls->session, side | GNUTLS_NONBLOCK | tickets) < 0)
		tls->session = NULL;
	if (!tls->session || !tls_config_apply(config, tls)) {
		stream_reset(under);
		tls_free(tls);
		return NULL;
	}
	gnutls_handshake_set_max_packet_length(tls->session, TLS_HANDSHAKE_MOST);
	gnutls_session_set_ptr(tls->session, tls);
	gnutls_transport_set_ptr(tls->session, tls);
	gnutls_transport_set_pull_function(tls->session, tls_pull);
	gnutls_transport_set_vec_push_function(tls->session, tls_push);
	if (config->purpose->uses_key)
		tls_watch_keys(tls);
	return tls;
}

struct tls *
tls_server(struct tls_config *config, struct stream *under, const struct tls_hooks *hooks)
{
	assert(config->purpose->is_server);
	return tls_new(config, under, hooks, GNUTLS_SERVER);
}

struct tls *
tls_client(struct tls_config *config, struct stream *under, const char *server_name,
    const struct tls_hooks *hooks)
{
	assert(!config->purpose->is_server);
	struct tls *tls = tls_new(config, under, hooks, GNUTLS_CLIENT);
	if (!tls || !server_name)
		return tls;
	if (gnutls_server_name_set(
		tls->session, GNUTLS_NAME_DNS, server_name, strlen(server_name)) == 0)
		return tls;
	stream_reset(under);
	tls_free(tls);
	return NULL;
}

bool
tls_set_key(struct tls *tls, const char *identity, const struct secret *key)
{
	size_t bytes = strlen(identity);
	if (bytes == 0 || bytes >= sizeof tls->identity)
		return false;
	memcpy(tls->identity, identity, bytes + 1);
	secret_wipe(&tls->key);
	return secret_init(&tls->key, key->data, key->bytes);
}

/* A peer of TLS 1.2 or before where only 1.3 will do: GnuTLS finds no cipher suite of that
 * version, but RFC 8446 §6.2 has an alert that says what is wrong. */
static bool
is_too_old(struct tls *tls, int got)
{
	bool only_tls13 =
	    tls->config->purpose->alpn || tls->config->settings.oldest == TLS_VERSION_13;
	return got == GNUTLS_E_NO_CIPHER_SUITES && only_tls13 &&
	    gnutls_protocol_get_version(tls->session) != GNUTLS_TLS1_3;
}

/* The peer sent something that is not a record: plain HTTP, or the greeting of another protocol. */
static bool
is_no_tls(const struct tls *tls, int got)
{
	return tls->state == TLS_SHAKING && !tls->heard_hello &&
	    (got == GNUTLS_E_UNEXPECTED_PACKET || got == GNUTLS_E_UNSUPPORTED_VERSION_PACKET);
}

/* A client of TLS 1.3 that fails before its keys are up sends its alert in plain text (OpenSSL
 * does), and GnuTLS tries to decrypt it. Nobody vouches for it; but the handshake has failed by
 * it, so it may name what by. (A server has its keys when it has answered.) */
static unsigned
find_alert(const struct tls *tls, int got)
{
	int plain = tls_record_plain_alert(&tls->record);
	if (got == GNUTLS_E_FATAL_ALERT_RECEIVED || got == GNUTLS_E_WARNING_ALERT_RECEIVED)
		return gnutls_alert_get(tls->session);
	if (got == GNUTLS_E_DECRYPTION_FAILED && tls->state == TLS_SHAKING && plain > 0 &&
	    tls->config->purpose->is_server)
		return (unsigned)plain;
	return 0;
}

static const char *
alert_name(unsigned alert)
{
	const char *name = gnutls_alert_get_name(alert);
	return name ? name : "unknown";
}

/* Only these sentences are made: others are constants, and few sessions fail. */
static const char *
explain_alert(struct tls *tls, const char *what, unsigned alert)
{
	char *sentence;
	tls->owns_error =
	    asprintf(&sentence, "%s \"%s\" (%u)", what, alert_name(alert), alert) >= 0;
	return tls->owns_error ? sentence : what;
}

static void
explain(struct tls *tls, int got)
{
	if (tls->error)
		return;
	if (tls->alert_received)
		tls->error =
		    explain_alert(tls, "the peer refused with the alert", tls->alert_received);
	else if (tls->judgement)
		tls->error = explain_alert(tls, "refused with the alert", tls->judgement);
	else if (tls->below == IO_RESET)
		tls->error = "the connection was reset";
	else if (tls->below == IO_EOF)
		tls->error = "the peer closed without close_notify";
	else if (is_too_old(tls, got))
		tls->error = "the peer does not offer TLS 1.3";
	else if (got == GNUTLS_E_UNSUPPORTED_VERSION_PACKET && tls->heard_hello)
		tls->error = "the peer offers no version of TLS that is spoken here";
	else if (is_no_tls(tls, got))
		tls->error = "the peer does not speak TLS";
	else
		tls->error = gnutls_strerror(got);
}

/* RFC 8446 §6.2: an alert is sent once, and only if the peer can still be told. */
static void
send_alert(struct tls *tls, gnutls_alert_level_t level, unsigned alert)
{
	if (tls->alert_sent || tls->alert_received || tls->closing != TLS_WRITING)
		return;
	tls->alert_sent = (uint8_t)alert;
	gnutls_alert_send(tls->session, level, alert);
	tls_flush(tls);
}

static void
move(struct tls *tls, enum tls_state to)
{
	static const unsigned may_move[TLS_STATES] = {
		[TLS_SHAKING] = 1u << TLS_OPEN | 1u << TLS_BROKEN,
		[TLS_OPEN] = 1u << TLS_BROKEN,
		[TLS_BROKEN] = 1u << TLS_BROKEN,
	};
	static const char *const state_name[TLS_STATES] = { "shaking", "open", "broken" };
	assert(may_move[tls->state] & 1u << to);
	log_move("tls", log_object("session", tls), state_name[tls->state], state_name[to]);
	tls->state = to;
}

enum io
tls_fail(struct tls *tls, int got)
{
	int level = GNUTLS_AL_FATAL;
	enum io below = tls->below;
	tls->alert_received = (uint8_t)find_alert(tls, got);
	explain(tls, got);
	tls->heard_no_tls = is_no_tls(tls, got);
	move(tls, TLS_BROKEN);
	buffer_drop(&tls->ahead);
	if (tls->alert_received || below == IO_RESET || below == IO_EOF)
		return tls->read_end = IO_RESET;
	if (tls->judgement)
		send_alert(tls, GNUTLS_AL_FATAL, tls->judgement);
	else if (is_too_old(tls, got))
		send_alert(tls, GNUTLS_AL_FATAL, GNUTLS_A_PROTOCOL_VERSION);
	else {
		unsigned alert = (unsigned)gnutls_error_to_alert(got, &level);
		send_alert(tls, (gnutls_alert_level_t)level, alert);
	}
	return tls->read_end = IO_FAILED;
}

void
tls_alert(struct tls *tls, unsigned alert)
{
	tls->judgement = (uint8_t)alert;
	explain(tls, GNUTLS_E_CERTIFICATE_ERROR);
	send_alert(tls, GNUTLS_AL_FATAL, alert);
	move(tls, TLS_BROKEN);
	tls->read_end = IO_FAILED;
}

/* Refuses what GnuTLS lets through and the purpose does not; returns an error of GnuTLS. */
static int
find_fault(struct tls *tls)
{
	const struct purpose *purpose = tls->config->purpose;
	bool asks =
	    purpose->is_judged || tls->config->settings.client_certificate != TLS_CLIENT_OFF;
	if (purpose->alpn && strcmp(tls_alpn(tls), purpose->alpn) != 0)
		return GNUTLS_E_NO_APPLICATION_PROTOCOL;
	if (asks && !tls->was_judged)
		return GNUTLS_E_CERTIFICATE_ERROR;
	if (tls->hooks.judge_hello && purpose->is_server && !tls->hello_was_judged)
		return GNUTLS_E_UNRECOGNIZED_NAME;
	if (purpose->uses_key && purpose->is_server && !tls->identity[0])
		return GNUTLS_E_RECEIVED_ILLEGAL_PARAMETER;
	return 0;
}

bool
tls_is_fatal(const struct tls *tls, int got)
{
	return gnutls_error_is_fatal(got) ||
	    (got == GNUTLS_E_WARNING_ALERT_RECEIVED &&
		gnutls_protocol_get_version(tls->session) == GNUTLS_TLS1_3);
}

/* One step: 0 done, 1 wait for *wait, else GnuTLS's error. GnuTLS says E_AGAIN once a partial
 * record even when more is at hand, so only the lower stream's own word makes us wait. A peer may
 * cut its messages into records of one byte; what it may not is keep us busy for nothing, or fill
 * our memory. */
static int
shake(struct tls *tls, enum io *wait)
{
	int idle = 0;
	while (idle < TLS_ROUNDS_MOST && tls->record.bodies <= TLS_HANDSHAKE_MOST) {
		size_t before = tls->record.bodies;
		tls->below = IO_OK;
		int got = gnutls_handshake(tls->session);
		if (got == 0 || tls_is_fatal(tls, got))
			return got;
		*wait = tls->below;
		if (io_must_wait(*wait))
			return 1;
		if (*wait != IO_OK)
			return GNUTLS_E_PREMATURE_TERMINATION;
		idle = tls->record.bodies > before ? 0 : idle + 1;
	}
	return GNUTLS_E_TOO_MANY_HANDSHAKE_PACKETS;
}

void
tls_set_party(struct tls *tls, const struct heavy_party *party)
{
	tls->party = *party;
}

const struct heavy_party *
tls_party(const struct tls *tls)
{
	return &tls->party;
}

enum io
tls_handshake(struct tls *tls)
{
	enum io wait = IO_OK;
	if (tls->state == TLS_BROKEN)
		return tls->read_end;
	if (tls->state == TLS_SHAKING) {
		tls_borrow_room(tls, false, TLS_AHEAD_ONE);
		int got = shake(tls, &wait);
		if (!tls_return_room(tls))
			got = GNUTLS_E_MEMORY_ERROR;
		if (got == 0)
			got = find_fault(tls);
		if (got < 0)
			return tls_fail(tls, got);
		if (got == 0) {
			move(tls, TLS_OPEN);
			secret_wipe(&tls->key);
			tls->stream.is_dry = tls->under->is_dry && !tls_has_ahead(tls);
		}
	}
	enum io io = tls_flush(tls);
	if (io == IO_RESET || io == IO_EOF || io == IO_FAILED) {
		tls->below = io;
		return tls_fail(tls, GNUTLS_E_PUSH_ERROR);
	}
	return io == IO_OK ? wait : io;
}

enum io
tls_linger(struct tls *tls)
{
	enum io io = stream_finish(&tls->stream);
	return io == IO_OK ? stream_settle(tls->under) : io;
}

const char *
tls_error(const struct tls *tls)
{
	return tls->error ? tls->error : "";
}

bool
tls_heard_no_tls(const struct tls *tls)
{
	return tls->heard_no_tls;
}

unsigned
tls_alert_sent(const struct tls *tls)
{
	return tls->alert_sent;
}

unsigned
tls_alert_received(const struct tls *tls)
{
	return tls->alert_received;
}

const char *
tls_alpn(const struct tls *tls)
{
	/* GnuTLS's buffers for names have 32 bytes and no NUL; ours are known literals or the
	 * config's. */
	const char *const *names = tls->config->settings.alpn;
	gnutls_datum_t chosen;
	if (gnutls_alpn_get_selected_protocol(tls->session, &chosen) < 0)
		return "";
	const char *demanded = tls->config->purpose->alpn;
	if (demanded)
		return chosen.size == strlen(demanded) &&
			!memcmp(demanded, chosen.data, chosen.size)
		    ? demanded
		    : "";
	for (; names && *names; names++)
		if (chosen.size == strlen(*names) && !memcmp(*names, chosen.data, chosen.size))
			return *names;
	return "";
}

bool
tls_export(struct tls *tls, const char *label, const void *context, size_t context_bytes, void *out,
    size_t out_bytes)
{
	return tls->state == TLS_OPEN &&
	    gnutls_prf_rfc5705(
		tls->session, strlen(label), label, context_bytes, context, out_bytes, out) == 0;
}

const char *
tls_version(const struct tls *tls)
{
	return gnutls_protocol_get_name(gnutls_protocol_get_version(tls->session));
}

/* Those of TLS 1.3 have one name only (RFC 8446, B.4). */
const char *
tls_cipher(const struct tls *tls)
{
	static const struct {
		const char *registered, *usual;
	} names[] = {
		{ "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256" },
		{ "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384" },
		{ "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
		    "ECDHE-ECDSA-CHACHA20-POLY1305" },
		{ "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256" },
		{ "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384" },
		{ "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305" },
	};
	const char *name = gnutls_ciphersuite_get(tls->session);
	for (size_t i = 0; name && i < sizeof names / sizeof *names; i++)
		if (strcmp(name, names[i].registered) == 0)
			return names[i].usual;
	return name ? name : "";
}

struct tls_certificate
tls_peer_certificate(const struct tls *tls)
{
	unsigned count = 0;
	const gnutls_datum_t *list = gnutls_certificate_get_peers(tls->session, &count);
	return list && count > 0 ? (struct tls_certificate){ list->data, list->size }
				 : (struct tls_certificate){ 0 };
}

const char *
tls_identity(const struct tls *tls)
{
	return tls->state == TLS_OPEN ? tls->identity : "";
}

bool
tls_is_resumed(const struct tls *tls)
{
	return gnutls_session_is_resumed(tls->session) != 0;
}

bool
tls_peer_has_certificate(const struct tls *tls)
{
	unsigned count = 0;
	return gnutls_certificate_get_peers(tls->session, &count) && count > 0;
}

void
tls_forgive_truncation(struct tls *tls)
{
	tls->is_forgiving = true;
}

struct stream *
tls_stream(struct tls *tls)
{
	return &tls->stream;
}
