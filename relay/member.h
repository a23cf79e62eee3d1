/*
 * One agent's session as all workers know it: a counted record that routes,
 * parked channels and flows hold, on any thread.  It outlives the session, so
 * that what still flows knows whose it is.
 *
 * Only the session's own worker talks to the agent; the others leave commands,
 * which arrive in that worker's loop.
 */
#ifndef RELAY_MEMBER_H
#define RELAY_MEMBER_H

#include <stdbool.h>
#include <stdint.h>
#include "base/loop.h"
#include "relay/pool.h"
#include "tunnel/code.h"
#include "tunnel/frame.h"

struct identity;
struct member;

enum member_command_kind {
	MEMBER_NEED,		/* `number` more channels */
	MEMBER_PROBE,		/* another process of the same instance is here: are you alive? */
	MEMBER_END,		/* goodbye with `code` and `sentence` */
	MEMBER_ENDPOINT_LOST,	/* endpoint `number` is refused from now on, with `code` and `sentence` */
};

struct member_command {
	enum member_command_kind kind;
	uint32_t number;
	enum code code;
	char sentence[SENTENCE_TEXT];
};

struct member_settings {
	struct loop *loop;			/* the session's */
	struct identity *identity;		/* held */
	struct tally *tally;			/* adopted, with one of TALLY_SESSIONS counted in it */
	uint8_t session_id[SESSION_ID_BYTES];
	uint8_t instance[INSTANCE_BYTES], start[START_BYTES];
	uint64_t pool_most, pool_most_per_identity;
	/* In the session's loop, until member_retire(). */
	void (*on_command)(void *arg, const struct member_command *);
	void *arg;
};

/* NULL when memory is short (nothing is adopted then). */
struct member *member_new(const struct member_settings *);
struct member *member_hold(struct member *);
void member_release(struct member *);

/* The session is over (own thread): the pool closes, no command arrives any more. Harmless twice. */
void member_retire(struct member *);
bool member_is_retired(const struct member *);
/* The agent drains: no new flows, the running ones go on. */
void member_set_draining(struct member *);
/* New flows may go there. */
bool member_is_usable(const struct member *);

/* From any thread; lost without a sound when the session is over or memory is short. */
void member_probe(struct member *);
void member_end(struct member *, enum code, const char *sentence);
void member_endpoint_lost(struct member *, uint32_t endpoint, enum code, const char *sentence);

/* One more flow, unless the grant's maxFlows is reached; over all sessions of the identity. */
bool member_enter_flow(struct member *);
void member_leave_flow(struct member *);
uint64_t member_flows(const struct member *);

const struct identity *member_identity(const struct member *);
const char *member_agent(const struct member *);		/* the grant's name */
const uint8_t *member_session_id(const struct member *);
const uint8_t *member_instance(const struct member *);
const uint8_t *member_start(const struct member *);
struct pool *member_pool(struct member *);
/* Of the same identity: same issuer, same name. */
bool member_is_kin(const struct member *, const struct member *);
bool member_is_shared(const struct member *);

#endif
