/*
 * What the files of tls.h share: tls_config.c (credentials, judgement),
 * tls.c (life and handshake), tls_stream.c (bytes), tls_record.c (where
 * records end).
 */
#ifndef TUNNEL_TLS_PRIVATE_H
#define TUNNEL_TLS_PRIVATE_H

#include <gnutls/gnutls.h>
#include "tunnel/buffer.h"
#include "tunnel/tls.h"

struct purpose {
	bool is_server;
	bool is_judged;   /* the peer's certificate, by the hook */
	bool uses_key;    /* external PSK */
	const char *alpn; /* demanded */
	const char *priority;
};

struct tls_config {
	_Atomic unsigned holders;
	const struct purpose *purpose;
	struct tls_settings settings; /* without the PEM texts; alpn is a copy */
	gnutls_priority_t priority;
	gnutls_certificate_credentials_t certificate;
	gnutls_psk_server_credentials_t keys;
	gnutls_psk_client_credentials_t key;
};

/* Where in the records the bytes that were pulled end. */
struct tls_record {
	uint8_t header[5], body[2]; /* of the last one; of its body the first bytes */
	size_t at, left;            /* seen of the header; to come of the body */
	size_t bodies;              /* bytes of all bodies so far */
};

enum tls_state { TLS_SHAKING, TLS_OPEN, TLS_BROKEN, TLS_STATES };

struct tls {
	struct stream stream; /* first: it is one */
	struct stream *under;
	struct tls_config *config;
	gnutls_session_t session;
	struct tls_hooks hooks;

	enum tls_state state;
	enum { TLS_WRITING, TLS_BYE_SAID, TLS_FINISHED } closing;
	enum io below;     /* the lower stream's last answer other than IO_OK in this call */
	enum io read_end;  /* once reading is over: how */
	enum io write_end; /* once writing has failed: how */
	struct tls_record record;
	bool is_forgiving;
	bool was_judged, name_was_seen, heard_no_tls;
	struct buffer out; /* encrypted bytes that the stream below has not taken yet */
	size_t accepted;   /* user bytes inside `out` that the caller will pass again */

	unsigned judgement; /* the alert that a hook has asked for */
	unsigned alert_sent, alert_received;
	char identity[36];
	struct heavy_party party;
	struct secret key; /* TLS_CHANNEL_AGENT, until the handshake is done */
	const char *error; /* NULL: none yet */
	char *alert_error; /* owned; an error that names an alert */
};

/* Hands the config's things to a new session. False: memory. */
bool tls_config_apply(struct tls_config *, struct tls *);
void tls_free(struct tls *);
/* Remembers the failure, sends the alert that belongs to it, returns what the caller answers. */
enum io tls_fail(struct tls *, int gnutls_error);
/* Of GnuTLS's errors: nothing comes after it (RFC 8446 §6: from TLS 1.3 on every alert but
 * close_notify is such, whatever its level). */
bool tls_is_fatal(const struct tls *, int gnutls_error);
/* Writes what waits in the outbox. */
enum io tls_flush(struct tls *);
/* GnuTLS's ways to the lower stream. */
ssize_t tls_pull(gnutls_transport_ptr_t, void *, size_t);
ssize_t tls_push(gnutls_transport_ptr_t, const giovec_t *, int count);

/* tls_record.c: follows the borders of records, encrypted or not (RFC 8446 §5.1), over any pieces. */
void tls_record_follow(struct tls_record *, const uint8_t *, size_t);
/* Whether no byte of a further record has come. */
bool tls_record_is_whole(const struct tls_record *);
/* If the last record is a whole alert in plain text: its code; else -1. */
int tls_record_plain_alert(const struct tls_record *);

extern const struct stream_kind tls_kind;

enum {
	/* A peer may send records that carry nothing; more than this in one call is an attack. */
	TLS_ROUNDS_MOST = 256,
	/* All that a handshake may read, headers of records not counted; a hello has at most 64
	 * KiB, and there may be two, a long chain of certificates about as much. GnuTLS believes
	 * any length and keeps what comes until the message is whole; only then its own bound
	 * counts. */
	TLS_HANDSHAKE_MOST = 256 * 1024,
};

#endif
