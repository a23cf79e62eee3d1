/*
 * One agent's session as all workers know it: a counted record that routes,
 * parked channels and flows hold, on any thread.  It outlives the session, so
 * that what still flows knows whose it is.
 *
 * Only the session's own worker talks to the agent; the others leave orders,
 * which are gathered until that worker looks, so that leaving one needs no memory.
 *
 * A flow that gets no answer from the agent doubts the session.  Its worker then asks the agent
 * whether it lives (agent_session_doubt.c), and says here what came of it; the flow looks.
 */
#ifndef RELAY_SESSION_REF_H
#define RELAY_SESSION_REF_H

#include <stdbool.h>
#include <stdint.h>
#include "base/loop.h"
#include "relay/pool.h"
#include "tunnel/code.h"
#include "tunnel/frame.h"

struct identity;
struct session_ref;

enum session_ref_command_kind {
	SESSION_REF_NEED,      /* `channels` more */
	SESSION_REF_PROBE,     /* another process of the instance has come */
	SESSION_REF_SUCCEEDED, /* the same process has another session, and will end this one */
	SESSION_REF_DOUBT,     /* the agent has not answered a flow */
	SESSION_REF_END,       /* goodbye with `code` and `sentence` */
	SESSION_REF_YIELD, /* give up what the usage owes (usage_owes()), but for parked channels */
};

struct session_ref_command {
	enum session_ref_command_kind kind;
	unsigned channels;
	enum code code;
	const char *sentence; /* until the call returns */
};

struct session_ref_settings {
	struct loop *loop;         /* the session's */
	struct identity *identity; /* held */
	struct usage *usage; /* adopted, with one of USAGE_SESSIONS counted in it: its place */
	uint8_t session_id[SESSION_ID_BYTES];
	uint8_t instance[INSTANCE_BYTES], start[START_BYTES];
	unsigned version; /* of the protocol */
	uint64_t pool_most;
	/* In the session's loop, until session_ref_retire(). */
	void (*on_command)(void *arg, const struct session_ref_command *);
	void *arg;
};

/* NULL when memory is short (nothing is adopted then). */
struct session_ref *session_ref_new(const struct session_ref_settings *);
struct session_ref *session_ref_hold(struct session_ref *);
void session_ref_release(struct session_ref *);

/* The session is over (own thread): the pool closes, no command arrives any more. Harmless twice. */
void session_ref_retire(struct session_ref *);
bool session_ref_is_retired(const struct session_ref *);
/* The agent drains: no new flows, the running ones go on, and those that wait for a channel are told at once
 * that none comes. */
void session_ref_set_draining(struct session_ref *);
/* Whether new flows may go there. */
bool session_ref_is_usable(const struct session_ref *);
/* Its certificate is refused from now on: nobody waits for this agent to come back. */
void session_ref_banish(struct session_ref *);
bool session_ref_is_banished(const struct session_ref *);
/* It is being asked whether it lives, because its instance has come again. */
void session_ref_set_suspect(struct session_ref *, bool);
/* It has answered a ping while a flow had nothing of its channels, or had none; until one of them says
 * something.  From any thread. */
void session_ref_set_mute(struct session_ref *, bool);
/* For one of these reasons, or because a flow doubts it: new flows go there only when there is nobody
 * else. */
bool session_ref_is_suspect(const struct session_ref *);

/* A flow has waited for an answer for longer than an agent that lives lets one wait.  From any thread. */
void session_ref_doubt(struct session_ref *);
/* Own thread: the question that was put at this time was answered, or was not in time. */
void session_ref_answered(struct session_ref *, uint64_t asked_ms);
void session_ref_was_silent(struct session_ref *, uint64_t asked_ms);
/* When the newest question that was answered was put, and the newest that was not, if none was answered
 * since; 0: none. */
uint64_t session_ref_answered_ms(const struct session_ref *);
uint64_t session_ref_silent_ms(const struct session_ref *);

/* From any thread; cannot fail, and does nothing when the session is over. The first reason to end counts. */
void session_ref_need(struct session_ref *, unsigned channels);
void session_ref_probe(struct session_ref *);
void session_ref_succeed(struct session_ref *);
void session_ref_end(struct session_ref *, enum code, const char *sentence);

/* Lets the session of `usage` in, in the place of `ref` (may be NULL) if that still has one; false with
 * a sentence as usage_enter() says it.  A session without a place lives on, but must be asked whether
 * it does, and then needs a place again. */
bool session_ref_take_place(struct session_ref *ref, struct usage *usage, char why[USAGE_WHY]);
bool session_ref_has_place(const struct session_ref *);
/* Gives it a place again, if need be that of `twin` (may be NULL), which is given up then: *taken. */
bool session_ref_regain_place(
    struct session_ref *, struct session_ref *twin, bool *taken, char why[USAGE_WHY]);

/* Counts one more flow, or says what stands in the way, as usage_enter() does. */
bool session_ref_enter_flow(struct session_ref *, char why[USAGE_WHY]);
void session_ref_leave_flow(struct session_ref *);
uint64_t session_ref_flows(const struct session_ref *);

/* For how long the session has been up, or the agent's one before that it continues. */
uint64_t session_ref_age_ms(const struct session_ref *);
/* Before anything is announced: the process has made a new session beside one that was well, as it does when
 * a certificate is renewed. */
void session_ref_continue(struct session_ref *, const struct session_ref *before);
/* What tells this agent (its identity and instance) from others at all relays and after every restart: for
 * relay/rendezvous.h. */
uint64_t session_ref_agent_hash(const struct session_ref *);

const struct identity *session_ref_identity(const struct session_ref *);
const char *session_ref_agent(const struct session_ref *); /* the grant's name */
const uint8_t *session_ref_session_id(const struct session_ref *);
unsigned session_ref_version(const struct session_ref *); /* of the protocol */
const uint8_t *session_ref_instance(const struct session_ref *);
const uint8_t *session_ref_start(const struct session_ref *);
struct pool *session_ref_pool(struct session_ref *);
struct usage *session_ref_usage(struct session_ref *);
bool session_ref_is_shared(const struct session_ref *);

#endif
