/*
 * What the files of session.h share: session.c (life, states, heartbeat),
 * session_hear.c (what the peer says) and session_say.c (what we say).
 */
#ifndef TUNNEL_SESSION_PRIVATE_H
#define TUNNEL_SESSION_PRIVATE_H

#include "tunnel/session.h"

enum session_state {
	SESSION_SHAKING,
	SESSION_GREETING,	/* relay: hello awaited; agent: welcome awaited */
	SESSION_JUDGED,		/* relay: the owner has the hello */
	SESSION_UP,
	SESSION_ENDING,		/* the last word is on its way */
	SESSION_ENDED,
	SESSION_STATES
};

struct session {
	struct loop *loop;
	struct link *link;
	enum session_side side;
	enum session_state state;
	struct timer timer;	/* greeting, then the heartbeat */
	struct task reaper;
	bool is_freed;
	void (*on_event)(void *arg, enum session_event, const union session_frame *);
	void *arg;
	struct frame_hello *hello;	/* agent: until it has been sent */

	uint64_t heartbeat_ms, tolerance_ms, last_frame_ms, next_ping_ms;
	uint32_t sequence, probe;
	uint64_t rtt_us;

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
void session_ping(struct session *);
/* The welcome holds from now on. */
void session_rise(struct session *, const struct frame_welcome *);
/* In LINK_FRAME. */
void session_hear(struct session *);

#endif
