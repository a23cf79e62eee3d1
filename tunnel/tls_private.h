/*
 * What the files of tls.h share: tls_config.c (credentials, judgement), tls_hello.c (what a client
 * begins with), tls.c (life and handshake), tls_stream.c (bytes), tls_io.c (the stream
 * below), tls_record.c (where records end), tls_peer_key.c (keys that GnuTLS shall not
 * use), tls_unwrap.c (the end of TLS before that of the connection).
 */
#ifndef TUNNEL_TLS_PRIVATE_H
#define TUNNEL_TLS_PRIVATE_H

#include <assert.h>
#include <gnutls/gnutls.h>
#include "tunnel/buffer.h"
#include "tunnel/tls.h"

struct purpose {
	bool is_server;
	bool is_judged;       /* the peer's certificate, by the hook */
	bool uses_key;        /* external PSK */
	const char *alpn;     /* demanded */
	const char *priority; /* NULL: by the versions of the settings */
};

struct tls_config {
	_Atomic unsigned holders;
	const struct purpose *purpose;
	struct tls_settings settings; /* without the PEM texts; alpn and the staple are copies, the
				       * tickets held */
	gnutls_priority_t priority;
	gnutls_certificate_credentials_t certificate;
	gnutls_psk_server_credentials_t keys;
	gnutls_psk_client_credentials_t key;
};

/* Where in the records the bytes that were pulled end. */
struct tls_record {
	uint8_t header[5], body[2]; /* of the last one; of its body the first bytes */
	uint8_t at;                 /* seen of the header */
	uint32_t left;              /* to come of the body */
	uint32_t bodies;            /* bytes of all bodies so far, while shaking */
};

enum {
	/* What one call reads ahead or writes at once, and a little for what records add. */
	TLS_ROOM = 64 * 1024 + 8192,
	/* A reader with less room gets one record at a time, so that nothing behind it is decrypted
	 * (somebody else may read on), and this is how far ahead is read for it. */
	TLS_SEVERAL = 2 * 16384,
	TLS_AHEAD_ONE = 4096,
	/* A channel's, and those inside one: so large that with what TLS 1.2 and 1.3 add they fit into
	 * one of the channel's. */
	TLS_RECORD_OUTER = 16384,
	TLS_RECORD_INNER = 16384 - 32,
	/* What a record adds, and a KeyUpdate in front of it. */
	TLS_RECORD_SLACK = 1024,
};

/* Of a thread, lent to the call of TLS that is under way; tls_io.c. */
struct tls_room {
	bool is_for_writing, has_enough;
	size_t most; /* to be read ahead */
	size_t at, bytes;
	uint8_t data[TLS_ROOM];
};

enum tls_state { TLS_SHAKING, TLS_OPEN, TLS_BROKEN, TLS_STATES };

struct tls {
	struct stream stream; /* first: it is one */
	struct stream *under;
	struct tls_config *config;
	gnutls_session_t session;
	struct tls_hooks hooks;

	enum tls_state state : 8;
	enum { TLS_WRITING, TLS_BYE_SAID, TLS_FINISHED } closing : 8;
	enum io below : 8;     /* the lower stream's last answer other than IO_OK in this call */
	enum io read_end : 8;  /* once reading is over: how */
	enum io write_end : 8; /* once writing has failed: how */
	bool is_forgiving : 1, was_judged : 1, hello_was_judged : 1, heard_no_tls : 1;
	bool heard_hello : 1;  /* of a client, in one piece */
	bool has_new_keys : 1; /* a KeyUpdate has come or gone, where tls_watch_keys() was called */
	bool owns_error : 1;   /* it names an alert */
	/* Alerts: what a hook has asked for, and what was said and heard. */
	uint8_t judgement, alert_sent, alert_received;
	uint8_t ticket_protocol; /* 1 + the index of what tickets are for; 0: none are allowed */
	uint8_t renegotiations;  /* refused ones, of which the peer may not have heard yet */
	struct tls_record record;
	uint32_t burst;        /* bytes written without a pause, as far as they matter */
	struct tls_room *room; /* NULL: none; none between calls */
	struct buffer ahead;   /* as it was read, behind the last record; none in a pump */
	struct buffer out;     /* encrypted bytes that the stream below has not taken yet */
	uint32_t accepted;     /* user bytes inside `out` that the caller will pass again */
	uint32_t wrote_ms;     /* when, of clock_ms() the low half */
	char identity[36];
	struct heavy_party party;
	struct secret key; /* TLS_CHANNEL_AGENT, until the handshake is done */
	const char *error; /* NULL: none yet */
};
static_assert(sizeof(struct tls) <= 248, "256 bytes with what malloc() adds");

/* An alert that a hook asks for becomes a failure of the handshake, which tls_fail() tells; 0 for none. */
int tls_object(struct tls *, unsigned alert);
/* tls_hello.c. 0, or an error of GnuTLS; for each hello, before GnuTLS looks at it. */
int tls_judge_hello(struct tls *, const gnutls_datum_t *message);
/* Hands the config's things to a new session. False: memory. */
bool tls_config_apply(struct tls_config *, struct tls *);
void tls_free(struct tls *);
/* tls_peer_key.c. Of a Certificate message that has come: 0, or an error of GnuTLS if the key in it cannot
 * or shall not be used; then the judge was asked, so that the reason is told. */
int tls_look_at_key(struct tls *, const gnutls_datum_t *message);
/* tls_peer_size.c. Whether the certificates in such a message have so many elements that GnuTLS would be
 * long about them. */
bool tls_peer_is_large(const gnutls_datum_t *message, bool is_13);
/* tls_unwrap.c: from now on `has_new_keys` is kept. */
void tls_watch_keys(struct tls *);
/* Remembers the failure, sends the alert that belongs to it, returns what the caller answers. */
enum io tls_fail(struct tls *, int gnutls_error);
/* Of GnuTLS's errors: nothing comes after it (RFC 8446 §6: from TLS 1.3 on every alert but
 * close_notify is such, whatever its level). */
bool tls_is_fatal(const struct tls *, int gnutls_error);

/* tls_io.c. Writes what waits in the outbox. */
enum io tls_flush(struct tls *);
/* GnuTLS's ways to the lower stream. */
ssize_t tls_pull(gnutls_transport_ptr_t, void *, size_t);
ssize_t tls_push(gnutls_transport_ptr_t, const giovec_t *, int count);
/* For the time of one call: what is pulled is read `most` bytes at a time, what is pushed is sent
 * together. When the room is returned, what was read and not pulled goes to `ahead`; false: memory. */
void tls_borrow_room(struct tls *, bool is_for_writing, size_t most);
bool tls_return_room(struct tls *);
/* Whether bytes are at hand that GnuTLS has not pulled; and that it shall have no others in this
 * call. */
bool tls_has_ahead(const struct tls *);
void tls_read_no_more(struct tls *);
/* Whether a record of so many bytes can leave together with those before; sends what has. */
bool tls_can_stage(const struct tls *, size_t bytes);
enum io tls_send_staged(struct tls *);
/* Between calls: puts what was read behind the last record back into the stream below, for who reads
 * on there. False: memory, and nothing has changed. The record must be whole: of another, GnuTLS keeps
 * what has come. */
bool tls_return_ahead(struct tls *);

/* tls_record.c: follows the borders of records, encrypted or not (RFC 8446 §5.1), over any pieces. */
void tls_record_follow(struct tls_record *, const uint8_t *, size_t);
/* Whether no byte of a further record has come. */
bool tls_record_is_whole(const struct tls_record *);
/* How many bytes of a record have come that is not whole, header and all. */
size_t tls_record_begun(const struct tls_record *);
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
