/*
 * A channel: a data connection that the agent dialled, parked until one flow
 * uses it up.
 *
 *	relay: handshake --> parked --> opening (open sent, answer awaited) --> released | over
 *	agent: handshake --> parked --> opened (hello received)             --> released | over
 *
 * Where `open` says CARRIER_HANDOFF, TLS ends with the hello in one direction and with `ready` in
 * the other (valise-protocol(7) says how exactly), and what is released is the stream below.  What
 * breaks that order ends the channel; the relay says nothing between the two, and ends it by a reset.
 *
 * A channel is opened once: whatever becomes of its flow, it is never parked again.
 *
 * On the relay a parked channel may move between workers; only its owner touches it.
 *
 * When the relay ends the channel between `open` and the answer, the agent hears CHANNEL_OVER: the
 * flow is abandoned, never half-closed.
 */
#ifndef TUNNEL_CHANNEL_H
#define TUNNEL_CHANNEL_H

#include "tunnel/link.h"

struct channel;

enum channel_event {
	CHANNEL_PARKED, /* relay: the client's Finished has been verified; agent: handshake
				 * done */
	CHANNEL_HELLO,  /* agent: channel_open_frame() is there, and so many hello_bytes are kept
				 * for what follows it */
	CHANNEL_OPEN,   /* agent: channel_open_frame() and channel_hello() are there, all of
				 * it */
	CHANNEL_READY,  /* relay: channel_release() gives the stream for the pump */
	CHANNEL_FAIL,   /* relay: channel_fail_code(), channel_error(); no byte reached an
				 * upstream. Free it now or at the CHANNEL_OVER that follows. */
	CHANNEL_PONG,   /* relay: verified again */
	CHANNEL_OVER,   /* lost; free it */
};

/* Relay: tls from tls_server() with a TLS_CHANNEL_RELAY config. Agent: tls_client() +
 * tls_set_key(). Adopted. */
struct channel *channel_new(struct loop *, bool is_relay, struct tls *, uint64_t handshake_ms,
    void (*on_event)(void *arg, enum channel_event), void *arg);
/* Safe inside a handler; NULL is fine. */
void channel_free(struct channel *);

/* The version of its session, as soon as that is known; 1 before. */
void channel_set_version(struct channel *, unsigned version);

/* Relay, at the handshake's end: which identity's key it was made with. "" before. */
const char *channel_peer_identity(const struct channel *);

/* Relay. The hello's wire bytes (open->hello_bytes of them) are sent right behind, borrowed only
 * for the call. */
bool channel_open(struct channel *, const struct frame_open *, const uint8_t *hello);
bool channel_ping(struct channel *);
/* Relay, while an answer is awaited: the agent has said that it works on it. */
bool channel_is_worked_on(const struct channel *);
/* Relay, in CHANNEL_READY: borrowed for the call. */
const struct frame_ready *channel_ready_frame(const struct channel *);
/* Relay, in CHANNEL_FAIL. */
enum code channel_fail_code(const struct channel *);
const char *channel_error(const struct channel *);

/* Agent, from CHANNEL_HELLO on. Borrowed until the channel is freed. */
const struct frame_open *channel_open_frame(const struct channel *);
/* Agent, from CHANNEL_OPEN on. Borrowed until channel_fail(), which frees it, or the channel is freed. */
const uint8_t *channel_hello(const struct channel *);
/* Agent, from CHANNEL_HELLO on: the answer will take its time. Version 1 has no word for it. False: the queue
 * is full, or there was an answer. */
bool channel_working(struct channel *);
/* Agent: one of the two answers. channel_fail() also closes; CHANNEL_OVER follows. */
bool channel_ready(struct channel *, const struct frame_ready *);
void channel_fail(struct channel *, enum code, const char *sentence);

/* The stream for the pump, after READY was received, or after channel_ready(): what came behind the
 * frames is put back into it (on the agent: the hello too, in front, so that whoever reads next
 * sees the client's stream from its first byte). An unsent rest of `ready` is sent by the next
 * write (a pump does that at once). NULL when memory is short. Then channel_free(). */
struct stream *channel_release(struct channel *);

/* To another worker: detach in the old thread, attach in the new. Only while parked. */
void channel_detach(struct channel *);
void channel_attach(
    struct channel *, struct loop *, void (*on_event)(void *, enum channel_event), void *arg);

#endif
