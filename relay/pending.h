/*
 * The marks `pending`: to whom go hellos of ACME servers that look for the proof that somebody serves a
 * name (RFC 8737: they offer acme-tls/1 and nothing else).  Of a name that several agents serve only one
 * can answer, since the certificate is of his making; so he asks for them first, and no other session
 * has the name's mark meanwhile.  Neither lists of addresses nor draws among agents apply to such hellos.
 * Where nobody has asked they are routed as any other.
 *
 * The mark is one agent's at a time: that of one identity and instance, whose sessions (a new one
 * takes over from an old one) may have it together.  His term begins with the first, and all end with it.
 *
 * Where his last session was lost or replaced, hellos wait for his next one, and the name is kept for
 * him for PENDING_AWAY_MS; that is less than they may wait (flow_wait.h), so that they are routed then as
 * if nobody had asked.
 *
 *	pending_enter(all, asker, ...) --> pending_leave(pending), at the latest after left_ms
 *	                                   pending_lose(pending), when its session ends
 *
 * Shared by:     those who serve a name together, on all workers.
 * Bound:         one of them for each name, for PENDING_TERM_MS.
 * Who leaves:    whose term is over.  If another one has asked meanwhile he must wait for
 *                PENDING_REST_MS, or until another one has had it, so that nobody keeps it by asking
 *                again and again; with him all instances of his identity, if it was another identity.
 *
 * As many names can be marked as sessions may mark (agent_session_private.h); a name whose holder is away
 * or rests is remembered for so long.
 */
#ifndef RELAY_PENDING_H
#define RELAY_PENDING_H

#include <stdbool.h>
#include <stdint.h>
#include "tunnel/code.h"
#include "tunnel/frame.h"

struct pending;
struct pendings;
struct route_answer;
struct route_question;
struct session_ref;

#define PENDING_PROTOCOL "acme-tls/1"

enum { PENDING_TERM_MS = 120000, PENDING_REST_MS = 60000, PENDING_AWAY_MS = 4000 };

/* NULL when memory is short. */
struct pendings *pendings_new(void);
/* All marks must have been left.  NULL is fine. */
void pendings_free(struct pendings *);

struct pending_asker {
	struct session_ref *session_ref; /* held by the mark */
	uint32_t endpoint;               /* that is opened */
	uint8_t carriers;                /* a bit set */
	const char *name;                /* exact, normalised */
};

/* From any thread, as all below.  NULL with code and sentence; else *left_ms is left of the term. */
struct pending *pending_enter(struct pendings *, const struct pending_asker *, uint64_t *left_ms,
    enum code *, char sentence[SENTENCE_TEXT]);
void pending_leave(struct pending *);
/* The same, but the agent may be back with another session in a moment, unless it is banished. */
void pending_lose(struct pending *);

/* Whether there is any mark, or was lost a moment ago; `pendings` may be NULL, here and below. */
bool pendings_are_any(const struct pendings *);
/* How often a mark has been entered, or somebody has been away for too long: a question that was answered by
 * ROUTE_NOBODY has the same answer until there is one more. */
uint64_t pendings_changes(struct pendings *);
/* Who has the mark of the name that is asked for: answers as route_find() does, ROUTE_AGENT or ROUTE_NONE,
 * because of ROUTE_IN_VAIN if he has failed this flow, of ROUTE_NOBODY if he is away or stops.  False: nobody
 * has it, and nothing is answered. */
bool pending_find(struct pendings *, const struct route_question *, struct route_answer *);

#endif
