/*
 * A session: the control connection of an agent to one relay, as far as both
 * ends agree on it: hello and welcome in order, heartbeat both ways, decoded
 * frames, goodbye.  Policy (who may, what for) is the owner's.
 *
 *	relay: handshake --> greeting (agent's hello awaited) --> judged by owner --> up --> over
 *	agent: handshake --> greeting (welcome awaited)                          --> up --> over
 */
#ifndef TUNNEL_SESSION_H
#define TUNNEL_SESSION_H

#include "tunnel/link.h"

struct session;

enum session_side { SESSION_RELAY, SESSION_AGENT };

enum session_event {
	SESSION_HELLO,		/* relay: answer with session_welcome() or session_refuse() */
	SESSION_WELCOME,	/* agent: the session is up */
	SESSION_ANNOUNCE, SESSION_WITHDRAW,		/* relay */
	/* agent; REFUSED with endpoint 0: SESSION_OVER follows */
	SESSION_ACCEPTED, SESSION_REFUSED, SESSION_NEED,
	SESSION_DRAIN,		/* either */
	SESSION_PONG,		/* a probe by session_probe() was answered */
	SESSION_OVER,		/* session_over_code() and session_error() say why; free it */
};

/* The event's frame, already decoded. */
union session_frame {
	struct frame_hello hello;
	struct frame_welcome welcome;
	struct frame_announce announce;
	struct frame_withdraw withdraw;
	struct frame_accepted accepted;
	struct frame_refused refused;
	struct frame_need need;
	struct frame_drain drain;
	struct frame_goodbye goodbye;
	struct frame_ping ping;
};

/* Adopts tls. handshake_ms bounds the handshake and the greeting together. */
struct session *session_new(struct loop *, enum session_side, struct tls *, uint64_t handshake_ms,
    void (*on_event)(void *arg, enum session_event, const union session_frame *), void *arg);
/* Safe inside a handler. NULL is fine. */
void session_free(struct session *);

/* Agent, before or after the handshake: what it will say first. Copied. */
void session_set_hello(struct session *, const struct frame_hello *);
/* Relay: accept; the heartbeat starts. */
void session_welcome(struct session *, const struct frame_welcome *);
/* Relay: refused(0, code, sentence), then over. */
void session_refuse(struct session *, enum code, const char *sentence);
/* Either: goodbye, then over. */
void session_goodbye(struct session *, enum code, const char *sentence);

void session_announce(struct session *, const struct frame_announce *);
void session_withdraw(struct session *, uint32_t endpoint);
void session_accept(struct session *, uint32_t endpoint);
void session_refuse_endpoint(struct session *, uint32_t endpoint, enum code, const char *sentence);
void session_need(struct session *, uint16_t channels);
void session_drain(struct session *, uint32_t deadline_ms);
/* A ping now, answered by SESSION_PONG (is the old one of a takeover alive?). */
void session_probe(struct session *);

/* The pre-shared key of this session's channels, RFC 8446 §7.5; after the welcome. */
bool session_channel_key(struct session *, const uint8_t id[SESSION_ID_BYTES], struct secret *key);
/* "v1." and 32 hex digits; identity has CHANNEL_IDENTITY bytes. */
enum { CHANNEL_IDENTITY = 36 };
void channel_identity(const uint8_t id[SESSION_ID_BYTES], char identity[CHANNEL_IDENTITY]);

/* Up: how long beyond the heartbeat this end waits for a sign of life, instead of what the welcome
 * said. */
void session_set_tolerance(struct session *, uint32_t tolerance_ms);
bool session_is_up(const struct session *);
/* Of the last heartbeat, microseconds, 0 before the first. */
uint64_t session_rtt_us(const struct session *);
enum code session_over_code(const struct session *);	/* what the peer said, or CODE_NONE /
							 * CODE_HEARTBEAT_LOST ... */
const char *session_error(const struct session *);
struct tls *session_tls(struct session *);

#endif
