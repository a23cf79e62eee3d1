/*
 * What the files of session.h share: session.c (life, states, heartbeat, what
 * we say) and session_receive.c (what the peer says).
 */
#ifndef TUNNEL_SESSION_PRIVATE_H
#define TUNNEL_SESSION_PRIVATE_H

#include "tunnel/session.h"

enum session_state {
	SESSION_SHAKING,
	SESSION_GREETING, /* relay: hello awaited; agent: welcome awaited */
	SESSION_JUDGED,   /* relay: the owner has the hello */
	SESSION_UP,
	SESSION_ENDING, /* the last word is on its way */
	SESSION_ENDED,
	SESSION_STATES
};

struct session {
	struct loop *loop;
	struct link *link;
	enum session_side side;
	enum session_state state;
	struct timer timer; /* greeting, then the heartbeat */
	struct task reaper;
	bool is_freed;
	bool is_proven; /* the handshake is done */
	void (*on_event)(void *arg, enum session_event, const union session_frame *);
	void *arg;
	/* agent: until it has been sent; relay: facts of one that is yet to come */
	struct frame_hello *hello;
	unsigned oldest, newest; /* agent: offered */
	unsigned version;
	bool takes_withdraw_many; /* the relay does */

	/* A frame of several that may still grow; it goes out before any other, at the latest at the
	 * turn's end. */
	uint8_t *several;
	size_t several_bytes;
	struct task flush;

	/* The budget. */
	uint64_t second_began_ms;
	unsigned frames;
	uint64_t rested_ms; /* when the last rest was to be over */
	struct timer rest;
	bool is_held; /* by the owner */

	unsigned needed;   /* channels that the last `need` did not ask for */
	struct timer need; /* armed: too early for the next one */

	uint64_t heartbeat_ms, tolerance_ms, last_frame_ms, next_ping_ms;
	uint64_t silent_ms; /* 0: nobody wants to know */
	bool is_asked;      /* since the last frame a ping has gone out */
	bool is_silent;     /* the silence since then was told */
	uint64_t asked_ms;
	uint32_t sequence, probe;
	uint64_t rtt_us;
	struct histogram *rtt; /* borrowed; NULL: nobody wants to know */

	enum code code;
	char error[SENTENCE_TEXT];
};

/* The only writer of ->state. */
void session_move(struct session *, enum session_state);
void session_emit(struct session *, enum session_event, const union session_frame *);
/* Remembers why it ends. The first reason is the true one. */
void session_explain(struct session *, enum code, const char *sentence);
/* A frame goes into the queue; one that overflows belongs to a peer that does not read, and ends
 * the session. */
void session_transmit(struct session *, const uint8_t *frame, size_t bytes);
/* A copy, its facts too. When memory is short the session ends. */
void session_keep_hello(struct session *, const struct frame_hello *);
void session_drop_hello(struct session *);
/* The welcome holds from now on. */
void session_rise(struct session *, const struct frame_welcome *);
/* Relay, agent: the newest version of this range that we speak; 0: none. */
unsigned session_common_version(unsigned oldest, unsigned newest);
/* In LINK_FRAME. */
void session_receive(struct session *);

#endif
