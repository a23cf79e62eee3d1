/*
 * One session with a relay: from the dial to the end of the session, with its
 * endpoints announced and its pool of channels filled.
 *
 *	dialling --> greeting (TLS, hello; welcome awaited) --> up --> over
 *
 * Whether and when there is another one is the relay link's business.
 */
#ifndef AGENT_RELAY_SESSION_H
#define AGENT_RELAY_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/worker.h"
#include "tunnel/code.h"

struct relay_session;
struct agent_context;

enum relay_session_event {
	RELAY_SESSION_UP,		/* the relay's welcome has come */
	RELAY_SESSION_DRAIN,		/* the relay takes nothing new on this session */
	RELAY_SESSION_REFUSED,	/* an endpoint was refused for good (the log has it) */
	RELAY_SESSION_OVER,		/* relay_session_end() says why; free it */
};

enum { RELAY_SESSION_SENTENCE = 1024 };

/* Why it is over. */
struct relay_session_end {
	bool is_permanent;	/* the same attempt would end like this again */
	bool was_up;
	bool is_busy;		/* the relay has answered: not now */
	const char *word;	/* stable */
	char sentence[RELAY_SESSION_SENTENCE];
	/* A certificate at fault, "" if none is: whose it is, and the configuration key that would
	 * cure it. */
	const char *key;
	char subject[256], issuer[256], fingerprint[65];
};

/* target: "host:port", borrowed while it lives. NULL when memory is short. */
struct relay_session *relay_session_new(const struct agent_context *, const char *target,
    void (*on_event)(void *arg, struct relay_session *, enum relay_session_event), void *arg);
/* Its parked channels go, its flows stay. Safe inside a handler; NULL is fine. */
void relay_session_free(struct relay_session *);

bool relay_session_is_up(const struct relay_session *);
const char *relay_session_relay(const struct relay_session *); /* its name, "" before the welcome */
const struct relay_session_end *relay_session_end(const struct relay_session *);

/* The context has another endpoint table, or other trust in relays. */
void relay_session_refresh(struct relay_session *);
void relay_session_judge_again(struct relay_session *, int64_t now_s);
/* No more channels are dialled; the relay may still use those that are parked, until it ends the session. */
void relay_session_stop_dialling(struct relay_session *);
bool relay_session_has_stopped_dialling(const struct relay_session *);
/* Tells the relay. */
void relay_session_drain(struct relay_session *, uint32_t deadline_ms);
void relay_session_goodbye(struct relay_session *, enum code, const char *sentence);

/* From the workers (flow_worker.h): what became of a channel. */
void relay_session_on_report(struct session_ref *, enum channel_report, const char *error);

#endif
