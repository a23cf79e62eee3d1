/*
 * One session with a relay, from the dial to its end: its endpoints are
 * announced and its pool of channels is kept filled.
 *
 *	dialling --> greeting (TLS, hello; welcome awaited) --> up --> over
 *
 * The relay link decides whether and when there is another one.
 */
#ifndef AGENT_RELAY_SESSION_H
#define AGENT_RELAY_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/relay_session_end.h"
#include "agent/worker.h"
#include "tunnel/code.h"

struct relay_session;
struct agent_context;

enum relay_session_event {
	RELAY_SESSION_UP,      /* the relay's welcome has come */
	RELAY_SESSION_DRAIN,   /* the relay takes nothing new on this session */
	RELAY_SESSION_MOVE,    /* the next one is to be made first: relay_session_drain_ms() */
	RELAY_SESSION_REFUSED, /* an endpoint was refused for good; that is logged */
	RELAY_SESSION_SERVES,  /* relay_session_serves_all() has changed */
	/* It is up, and nothing has been heard of the relay for RELAY_SESSION_SILENT_MS, or for half
	 * of a slow heartbeat, although it was asked; and now something has. */
	RELAY_SESSION_SILENT,
	RELAY_SESSION_HEARD,
	RELAY_SESSION_OVER, /* relay_session_end() says why; free it */
};

enum { RELAY_SESSION_SILENT_MS = 5000 };

/* target: the label of a path of the context, or else "host:port"; borrowed while the session lives.  owner:
 * the number by which what its flows take is counted.  NULL when memory is short. */
struct relay_session *relay_session_new(const struct agent_context *, const char *target,
    uint8_t owner, void (*on_event)(void *arg, struct relay_session *, enum relay_session_event),
    void *arg);
/* Closes its parked channels; its flows go on. Safe inside a handler; NULL is fine. */
void relay_session_free(struct relay_session *);

/* Before it is connected: what the sessions before this one were refused; outlives it. */
struct announcer_past;
void relay_session_remember(struct relay_session *, struct announcer_past *);

bool relay_session_is_up(const struct relay_session *);
/* It is up, and how many endpoints are accepted; whether that is all that the context has. */
size_t relay_session_accepted_count(const struct relay_session *);
/* As announcer_state() says it; "down" while it is not up. */
const char *relay_session_endpoint_state(
    const struct relay_session *, uint32_t endpoint, enum code *refused);
bool relay_session_serves_all(const struct relay_session *);
/* The name that the relay gives itself; "" before the welcome. */
const char *relay_session_relay(const struct relay_session *);
/* Of the last heartbeat; 0: there was none. */
uint64_t relay_session_rtt_us(const struct relay_session *);
/* Channels that are parked now. */
unsigned relay_session_parked(const struct relay_session *);
const struct relay_session_end *relay_session_end(const struct relay_session *);
/* The place that the relay has for this agent in a turn of returning (agent/reconnect.h); false: it
 * has said none. */
bool relay_session_place(const struct relay_session *, uint16_t *place);
/* From RELAY_SESSION_DRAIN or RELAY_SESSION_MOVE on: the time in which all agents are to make their
 * next session. */
uint32_t relay_session_drain_ms(const struct relay_session *);
/* When the relay's certificate ends, by which this session was made, or a CA above it. */
int64_t relay_session_not_after(const struct relay_session *);

/* Whether the relay has answered every announcement once. */
bool relay_session_is_settled(const struct relay_session *);

/* The context has another endpoint table: what has changed is announced or withdrawn. */
void relay_session_refresh(struct relay_session *);
/* Ends the session if the relay's certificate is no longer good by the context's trust. */
void relay_session_judge_again(struct relay_session *, int64_t now_s);
/* No more channels are dialled.  The relay may use the parked ones until it ends the session. */
void relay_session_stop_dialling(struct relay_session *);
bool relay_session_has_stopped_dialling(const struct relay_session *);
/* Whether it has channels for the relay to use although it dials no more. */
bool relay_session_keeps_channels(const struct relay_session *);
/* How many channels it may have; those beyond are closed.  Until that is said, agent.pool.most. */
void relay_session_share_pool(struct relay_session *, unsigned share);
/* Tells the relay that the agent drains, or why it ends the session. */
void relay_session_drain(struct relay_session *, uint32_t deadline_ms);
void relay_session_goodbye(struct relay_session *, enum code, const char *sentence);

/* For agent_workers_new(): counts what became of a channel. */
void relay_session_on_report(struct agent_session_ref *, enum channel_report, const char *error);

#endif
