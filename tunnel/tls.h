/*
 * TLS as the one thing that we need: a stream over a stream.  The only module
 * that drives GnuTLS sessions; callers see a handful of results.
 *
 * A tls_config is immutable once built, counted, and shared by all threads; a
 * reload builds a new one, and old sessions keep theirs.  Certificates are
 * judged by the caller's function during the handshake, never here.  No
 * renegotiation and no early data, ever.  No resumption but by tickets of TLS 1.3 where an endpoint
 * asks its clients for no certificate, always with a fresh key exchange (psk_dhe_ke).
 */
#ifndef TUNNEL_TLS_H
#define TUNNEL_TLS_H

#include "base/heavy.h"
#include "base/secret.h"
#include "tunnel/stream.h"

struct tls_config;
struct tls_tickets;
struct tls;

enum tls_purpose {
	TLS_SESSION_RELAY, /* TLS 1.3, mutual, ALPN valise/1 demanded */
	TLS_SESSION_AGENT,
	TLS_CHANNEL_RELAY, /* TLS 1.3, external PSK (psk_ke), TLS_AES_128_GCM_SHA256, ALPN
				 * valise-data/1 */
	TLS_CHANNEL_AGENT,
	TLS_ENDPOINT, /* the agent ends a client's TLS 1.2 or 1.3 */
	TLS_UPSTREAM, /* the agent is client of a tls:// upstream, TLS 1.2 or 1.3 */
	TLS_PURPOSES
};

enum tls_version { TLS_VERSION_ANY, TLS_VERSION_12, TLS_VERSION_13 };

enum tls_client_certificate { TLS_CLIENT_OFF, TLS_CLIENT_REQUEST, TLS_CLIENT_REQUIRE };

/* A certificate as it came, DER. */
struct tls_certificate {
	const uint8_t *data;
	size_t bytes;
};

/* What proves that the certificate is not revoked (RFC 6960), judged by the caller.  Times are in seconds
 * since 1970. */
struct tls_staple {
	const uint8_t *data;
	size_t bytes;
	int64_t from_s, until_s;
};

struct tls_settings {
	enum tls_purpose purpose;
	/* PEM; certificate chain, leaf first. NULL where the purpose needs none.  TLS_UPSTREAM may have
	 * one, which is shown to every server that asks for any.  Instead of the key itself there
	 * may be a URL that the library knows (keys/key_url.h), with a NUL behind it. */
	const struct secret *certificate, *private_key;
	/* TLS_ENDPOINT only: for a client that asks for it, while it is current; copied.  bytes 0:
	 * none. */
	struct tls_staple staple;
	enum tls_client_certificate client_certificate; /* TLS_ENDPOINT only */
	/* TLS_ENDPOINT only: what tickets are sealed under; held.  NULL: none are given out, nor are they
	 * where a client is asked for a certificate, whatever stands here. */
	struct tls_tickets *tickets;
	/* CAs whose names a client is told where it is asked for a certificate, so that it shows (or
	 * lets its user choose from) only those that may be good; none: it is told nothing.  The names
	 * judge nobody. */
	const struct tls_certificate *client_cas;
	size_t client_ca_count;
	/* The oldest and the newest that is spoken, TLS_ENDPOINT and TLS_UPSTREAM only; any: 1.2 and
	 * 1.3. */
	enum tls_version oldest, newest;
	/* NULL-terminated, TLS_ENDPOINT and TLS_UPSTREAM only; may be NULL.  Most wanted first, and as a
	 * server we decide. */
	const char *const *alpn;
	/* TLS_CHANNEL_RELAY: finds the key of an identity; false: unknown (the handshake then goes
	 * on with a random key). Called from any worker's thread. */
	bool (*find_key)(void *arg, const char *identity, struct secret *key);
	void *find_key_arg;
};

enum { TLS_ERROR = 256 };
/* NULL with a sentence in `error` (a key that does not fit its certificate, bad PEM ...). */
struct tls_config *tls_config_new(const struct tls_settings *, char error[TLS_ERROR]);
struct tls_config *tls_config_hold(struct tls_config *);
void tls_config_release(struct tls_config *);

/* A client's hello.  Whoever judges it has read it, and says what of it counts here. */
struct tls_hello {
	const uint8_t *message; /* behind its header */
	size_t bytes;
	const char *const *alpn; /* that of the settings */
	/* For the judge to fill in, where he lets it pass: */
	const char *name;      /* that it asks for; lasts until the handshake goes on */
	bool tls12, tls13;     /* versions that it offers */
	bool aes_128, aes_256; /* cipher suites of TLS 1.3 with GCM that it offers */
	/* Of `alpn`, the index of the first that it offers; if none, that of the end. */
	size_t protocol;
};

/* Per-connection hooks; each may be NULL where it has no meaning. */
struct tls_hooks {
	/* Judges the peer's chain; returns 0 or the alert to send. A server of purpose
	 * TLS_SESSION_RELAY and TLS_ENDPOINT (request, require), every client of certificates.
	 * count 0: none was shown though one is demanded; whatever the answer, the handshake then
	 * fails with certificate_required (116; 40 in TLS 1.2). Not asked when a mere request found
	 * none. Without this hook every peer is refused. */
	unsigned (*judge)(void *arg, const struct tls_certificate *chain, size_t count);
	/* Judges a ClientHello: does it ask for the name that the connection was routed by? Whoever
	 * routed it must read it as the judge does. For each hello seen, the one after a retry
	 * request too; returns 0 or the alert to send. TLS_ENDPOINT only, where without it nobody
	 * gets a ticket. */
	unsigned (*judge_hello)(void *arg, struct tls_hello *);
	void *arg;
};

/* Server and client over `under`, which is adopted also on failure (NULL: memory; it is reset then, since
 * nobody has ended it). server_name: the
 * SNI that a client sends, NULL for none. key: TLS_CHANNEL_AGENT only, with identity. */
struct tls *tls_server(struct tls_config *, struct stream *under, const struct tls_hooks *);
struct tls *tls_client(
    struct tls_config *, struct stream *under, const char *server_name, const struct tls_hooks *);
/* Copies both; the key is wiped when the handshake is done. False: memory, or an identity of more
 * than 35. */
bool tls_set_key(struct tls *, const char *identity, const struct secret *key);

/* For whom the handshake is done; nobody in particular until this is called. */
void tls_set_party(struct tls *, const struct heavy_party *);
const struct heavy_party *tls_party(const struct tls *);

/* IO_OK: done. IO_READ / IO_WRITE: wait, call again. IO_FAILED / IO_RESET / IO_EOF: over, the alert
 * has been sent as far as it goes; see tls_error(). All bytes already at hand are used up before it
 * waits. */
enum io tls_handshake(struct tls *);
/* A sentence about the failure, and the alerts, 0 if none. Borrowed. */
const char *tls_error(const struct tls *);
unsigned tls_alert_sent(const struct tls *);
unsigned tls_alert_received(const struct tls *);
/* The handshake failed because the peer does not speak TLS at all. */
bool tls_heard_no_tls(const struct tls *);
/* Sends a fatal alert now, best effort (the judgement came after the handshake). */
void tls_alert(struct tls *, unsigned alert);
/* After a failure: what is left of the alert goes out, then FIN, and what still comes is thrown
 * away; closing with unread bytes would make the kernel send RST and the peer might never see the
 * alert. IO_READ, IO_WRITE: wait, call again; anything else: over. The caller bounds the time. */
enum io tls_linger(struct tls *);

/* After the handshake. */
const char *tls_alpn(const struct tls *); /* "" if none */
bool tls_export(struct tls *, const char *label, const void *context, size_t context_bytes,
    void *out, size_t out_bytes);            /* RFC 8446 §7.5, RFC 5705 */
const char *tls_version(const struct tls *); /* "TLS1.3" */
/* The cipher suite by the name that OpenSSL has for it. */
const char *tls_cipher(const struct tls *);
/* The peer's own certificate, borrowed; no bytes: it has shown none. */
struct tls_certificate tls_peer_certificate(const struct tls *);
/* TLS_CHANNEL_RELAY: the identity whose key the client proved to have; "" before. */
const char *tls_identity(const struct tls *);
/* By a ticket: no certificate was shown, neither way. */
bool tls_is_resumed(const struct tls *);
/* TLS_ENDPOINT: did the client show a certificate (and was it judged good)? */
bool tls_peer_has_certificate(const struct tls *);
/* An end without close_notify counts as IO_EOF (default: IO_RESET). */
void tls_forgive_truncation(struct tls *);
/* Forces a key update now and asks the peer for one (tests); one happens by itself as RFC 8446 §5.5
 * wants it. */
bool tls_update_key(struct tls *);
/* Takes all bytes at once, whatever the descriptor says; what does not go out is kept, encrypted,
 * and goes out in front of the next write (one of no bytes will do). For a few bytes, right before
 * the stream is given away; also repeats a write that has answered IO_WRITE, with at least the same
 * bytes in front. */
bool tls_write_behind(struct tls *, const void *, size_t);

/*
 * Where the connection goes on without TLS (channels only). A direction ends with a
 * record, and behind it stand bare bytes. Until then nobody reads more than this
 * record, and nobody says a word of TLS behind his last one.
 */
/* No record is made any more, no alert and no close_notify; what is inside still goes out. */
void tls_hush(struct tls *);
/* All plaintext has been read to the end of a record, and no key was updated, neither way: the next
 * byte may be a bare one. */
bool tls_is_at_border(const struct tls *);
/* At the border, while the peer has nothing to say: IO_READ; how the connection has ended; or IO_FAILED,
 * it has said something, and is of no more use. */
enum io tls_await_bare(struct tls *);
/* The stream below, with what is still to be sent in its queue and what was read behind the border put
 * back; this object is gone, and has said no more. NULL: we are not at the border of the peer's records,
 * or memory is short, and then it is of no more use. */
struct stream *tls_unwrap(struct tls *);

/* The same object as a stream; stream_free() frees it and all below. A reader with room for 32 KiB,
 * as a pump is, gets several records at once, and any other one record: nothing behind it has been
 * decrypted then. Records are small at first and after a pause. */
struct stream *tls_stream(struct tls *);

/* Library set-up and tear-down for leak checkers; call once in main(). */
bool tls_start(void);

#endif
