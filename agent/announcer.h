/*
 * Keeps a relay informed, over one session, which endpoints there are.  They
 * are announced after the welcome, and announced and withdrawn as the table
 * changes.  A refused endpoint is announced again, after a passing refusal with
 * back-off, after a permanent one every five minutes; it never takes the others
 * down.
 *
 * At most ANNOUNCER_UNDER_WAY announcements wait for their answers, with some ANNOUNCER_BYTES
 * of lists of addresses, so that a long table fits into the session's queue.
 *
 * An endpoint whose upstreams are all down, by their checks (base/health.h), is withdrawn until one of
 * them is up: whoever learns of such a change calls announcer_show() again.
 *
 * Challenges that are under way (agent/challenge.h) are announced, too: each marks the accepted endpoint of
 * its name as pending, and waits for that to be accepted.
 *
 * The log's lines about endpoints are audit events, which nothing may drop, and a
 * relay can bring them about as fast as it can send.  So answers about what does not
 * wait for one are ignored, and in a minute a session has as many lines as it takes
 * to tell twice of every endpoint, and 60 more.
 *
 * Shared by:     the endpoints of one session.
 * Bound:         these lines, beside those at level debug.
 * Who leaves:    nobody: what exceeds is told as a number when the minute is over, or the
 *                session (endpoint-lines-suppressed).
 */
#ifndef AGENT_ANNOUNCER_H
#define AGENT_ANNOUNCER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "tunnel/code.h"

struct announcer;
struct challenges;
struct endpoint;
struct endpoint_table;
struct session;
struct session_answer;

enum { ANNOUNCER_UNDER_WAY = 64, ANNOUNCER_BYTES = 16 * 1024 };

/* Session, relay (its name, for the log) and challenges (NULL: none) are borrowed while the announcer
 * lives. NULL when memory is short. */
struct announcer *announcer_new(
    struct loop *, struct session *, const char *relay, struct challenges *);
void announcer_free(struct announcer *);

/* Announces one endpoint, and nothing else: without an announcer, for a dry run. */
void announcer_say(struct session *, const struct endpoint *);

/* Announces what is new in this table and among the challenges, and withdraws what is gone. False when
 * memory is short: nothing has changed. */
bool announcer_show(struct announcer *, const struct endpoint_table *);
/* The relay's answers.  Of the second: whether any endpoint is refused by it; a challenge is none. */
void announcer_accepted(struct announcer *, const struct session_answer *);
bool announcer_refused(struct announcer *, const struct session_answer *);
/* Whether the relay has answered everything that was announced so far. */
bool announcer_is_settled(const struct announcer *);
/* How many endpoints the relay routes here at this moment; challenges are none. */
size_t announcer_accepted_count(const struct announcer *);
/* What was refused with this code may be accepted now. */
void announcer_again(struct announcer *, enum code);

#endif
