/*
 * A session: the control connection of an agent to one relay, as far as both
 * ends agree on it: hello and welcome in order, heartbeat both ways, decoded
 * frames, goodbye.  Policy (who may, what for) is the owner's.
 *
 *	relay: handshake --> greeting (agent's hello awaited) --> judged by owner --> up --> over
 *	agent: handshake --> greeting (welcome awaited)                          --> up --> over
 *
 * The version is the newest that both speak.  In version 2 announcements and their answers that
 * are said in one turn of the loop share frames; what the owner says and hears is the same.
 *
 * A peer has SESSION_FRAMES_PER_SECOND frames in each second (one of several counts as one, but
 * the next frame is read when its part of the second is over); when they are used up nothing more
 * is read until the second is over, so that a peer that never stops takes no more than its share
 * of the loop, and its heartbeat lives.
 */
#ifndef TUNNEL_SESSION_H
#define TUNNEL_SESSION_H

#include "tunnel/link.h"

struct histogram;
struct session;

enum session_side { SESSION_RELAY, SESSION_AGENT };

enum session_event {
	SESSION_HELLO,   /* relay: answer with session_welcome() or session_refuse() */
	SESSION_WELCOME, /* agent: the session is up */
	SESSION_ANNOUNCE,
	SESSION_WITHDRAW, /* relay */
	/* agent; REFUSED for endpoint 0: SESSION_OVER follows */
	SESSION_ACCEPTED,
	SESSION_REFUSED,
	SESSION_NEED,
	SESSION_AGAIN,   /* agent: what was refused with this code may be announced again */
	SESSION_RESUMED, /* agent: the answer that its welcome has promised */
	SESSION_UNABLE, /* relay: the agent lacks what a dial wants; nobody need wait for a channel */
	SESSION_DRAIN, /* either */
	SESSION_PONG,  /* a probe by session_probe() was answered */
	/* After session_watch_silence(): the peer has been silent for this time, although it was asked;
	 * and then something has come from it all the same. */
	SESSION_SILENT,
	SESSION_HEARD,
	SESSION_OVER, /* session_over_code() and session_error() say why; free it */
};

enum { SESSION_FRAMES_PER_SECOND = 200 };

/* The relay's answer about endpoints: SESSION_ACCEPTED (no code), SESSION_REFUSED. Its numbers need
 * not have been announced, and the range may be huge. */
struct session_answer {
	struct frame_range endpoints;
	enum code code;
	char sentence[SENTENCE_TEXT];
};

/* The event's frame, already decoded; its facts are borrowed for the call. */
union session_frame {
	struct frame_hello hello;
	struct frame_welcome welcome;
	struct frame_announce announce;
	struct frame_withdraw withdraw;
	struct session_answer answer;
	struct frame_need need;
	struct frame_drain drain;
	struct frame_again again;
	struct frame_resumed resumed;
};

/* Adopts tls. handshake_ms bounds the handshake and the greeting together. */
struct session *session_new(struct loop *, enum session_side, struct tls *, uint64_t handshake_ms,
    void (*on_event)(void *arg, enum session_event, const union session_frame *), void *arg);
/* Safe inside a handler. NULL is fine. */
void session_free(struct session *);

/* Agent, before or after the handshake: what it will say first. Copied, its facts too. */
void session_set_hello(struct session *, const struct frame_hello *);
/* Relay: accept; the heartbeat starts. The version is ours to fill in. */
void session_welcome(struct session *, const struct frame_welcome *);
/* Relay: refused(0, code, sentence), then over. */
void session_refuse(struct session *, enum code, const char *sentence);
/* Either: goodbye, then over. */
void session_goodbye(struct session *, enum code, const char *sentence);

void session_announce(struct session *, const struct frame_announce *);
/* How many bytes of announcements, with two of length each, share the frame that is being filled; 0: the next
 * one begins a frame. */
size_t session_announce_room(const struct session *);
/* Several share a frame, too, where the relay's welcome says that it knows such a frame. */
void session_withdraw(struct session *, uint32_t endpoint);
void session_accept(struct session *, uint32_t endpoint);
void session_refuse_endpoint(struct session *, uint32_t endpoint, enum code, const char *sentence);
/* At once, but not more often than half of the peer's budget allows: what comes meanwhile is added up. */
void session_need(struct session *, unsigned channels);
void session_drain(struct session *, const struct frame_drain *);
/* Relay: refusals with this code may not hold any more (version 1: skipped by the agent). */
void session_again(struct session *, enum code);
/* Relay, after a welcome that has promised it. */
void session_resumed(struct session *, bool is_resumed);
/* Agent: this host lacks what a dial wants. */
void session_unable(struct session *);
/* Sends a ping now, which SESSION_PONG answers (does the old session of a takeover live?). */
void session_probe(struct session *);

/* The pre-shared key of this session's channels, RFC 8446 §7.5; after the welcome. */
bool session_channel_key(struct session *, const uint8_t id[SESSION_ID_BYTES], struct secret *key);
/* "v1." and 32 hex digits; identity has CHANNEL_IDENTITY bytes. */
enum { CHANNEL_IDENTITY = 36 };
void channel_identity(const uint8_t id[SESSION_ID_BYTES], char identity[CHANNEL_IDENTITY]);

/* When up: how long this end waits beyond the heartbeat for a sign of life, instead of the time in
 * the welcome. */
void session_set_tolerance(struct session *, uint32_t tolerance_ms);
/* When up: SESSION_SILENT is to tell of this much silence, long before the heartbeat gives the peer up, and
 * pings go out twice in that time if the heartbeat is slower.  Time in which this loop did not run is not
 * taken for the peer's silence. */
void session_watch_silence(struct session *, uint32_t silent_ms);
/* The owner has not done yet what it was told: nothing more is read until it goes on. That is a
 * matter of turns, because meanwhile there is no sign of life. */
void session_hold(struct session *);
void session_go_on(struct session *);
bool session_is_up(const struct session *);
/* The handshake is done: the peer has proved to have the certificate that was judged, and what it has
 * said since, its alert too, is its own word. */
bool session_is_proven(const struct session *);
/* The version that both speak; 1 until the relay has the hello, or the agent the welcome. */
unsigned session_version(const struct session *);
/* What is withdrawn shares frames; else each has a frame of its own. */
bool session_withdraws_many(const struct session *);
/* The round trip of the last heartbeat in microseconds, 0 before the first. */
uint64_t session_rtt_us(const struct session *);
/* Those that are measured from now on go there, too (HISTOGRAM_SHORT), in the loop's thread. */
void session_count_rtt(struct session *, struct histogram *);
enum code session_over_code(const struct session *); /* what the peer said, or CODE_NONE /
							 * CODE_HEARTBEAT_LOST ... */
const char *session_error(const struct session *);
struct tls *session_tls(struct session *);

#endif
