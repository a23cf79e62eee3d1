/*
 * Keeps a relay informed, over one session, which endpoints there are.  They
 * are announced after the welcome, and announced and withdrawn as the table
 * changes.  The hello may offer to go on with what a session before has announced
 * (tunnel/announce_digest.h); where the relay does, they count as announced.
 *
 *	announcer_new --> announcer_remember --> announcer_offer, for the hello
 *	--> announcer_begin, after the welcome
 *	--> announcer_show, announcer_resumed, announcer_accepted ... --> announcer_free
 *
 * A refused endpoint is announced again, after a passing refusal with
 * back-off, after a permanent one every five minutes; it never takes the others
 * down.
 *
 * Some ANNOUNCER_BYTES of announcements wait for their answers, so that a long table fits into the queue of
 * the session; where the relay takes each in a frame of its own (version 1), 64 of them.  Withdrawals,
 * where each is a frame of its own, go out 64 in 400 ms, and nothing is announced before they have.
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
#include "tunnel/frame.h"

struct announcer;
struct challenges;
struct endpoint;
struct endpoint_table;
struct session;
struct session_answer;

enum { ANNOUNCER_BYTES = 32 * 1024 };

/* Session, relay (its name, for the log) and challenges (NULL: none) are borrowed while the announcer
 * lives. NULL when memory is short. */
struct announcer *announcer_new(
    struct loop *, struct session *, const char *relay, struct challenges *);
void announcer_free(struct announcer *);

/* Announces one endpoint, and nothing else: without an announcer, for a dry run.  Returns how many bytes that
 * are: the caller waits for answers when some ANNOUNCER_BYTES have been said. */
size_t announcer_say(struct session *, struct endpoint *);

/* What a relay had refused when the last session with it ended: it keeps the others only.  Begins as {0}. */
struct announcer_past {
	uint32_t *refused; /* numbers in ascending order */
	size_t count;
};
void announcer_past_wipe(struct announcer_past *);
/* Before the offer, which leaves these out; it outlives the announcer, which notes what is refused at its
 * end. */
void announcer_remember(struct announcer *, struct announcer_past *);
/* Before the welcome: the digest of what this table has to announce.  False: nothing is offered, since there
 * is little, or memory is short. */
bool announcer_offer(
    struct announcer *, const struct endpoint_table *, uint8_t digest[RESUME_BYTES]);
/* After the welcome, with the table in force.  is_resuming: the relay has promised to say whether it goes on
 * with what was offered; that is waited for.  False as below. */
bool announcer_begin(struct announcer *, struct endpoint_table *, bool is_resuming);
/* The relay says so. False as below. */
bool announcer_resumed(struct announcer *, bool is_resumed);
/* Announces what is new in this table and among the challenges, and withdraws what is gone; before the
 * welcome it does nothing. False when memory is short: nothing has changed. */
bool announcer_show(struct announcer *, struct endpoint_table *);
/* The relay's answers.  Of the second: whether any endpoint is refused by it; a challenge is none. */
void announcer_accepted(struct announcer *, const struct session_answer *);
bool announcer_refused(struct announcer *, const struct session_answer *);
/* Whether the relay has answered everything that was announced so far. */
bool announcer_is_settled(const struct announcer *);
/* How many endpoints the relay routes here at this moment; challenges are none. */
size_t announcer_accepted_count(const struct announcer *);
/* What has become of an endpoint: "accepted", "refused", "announced" or "waiting", and of a refused one why;
 * NULL: it is not shown, since its upstreams are down. */
const char *announcer_state(const struct announcer *, uint32_t endpoint, enum code *refused);
/* What was refused with this code may be accepted now. */
void announcer_again(struct announcer *, enum code);

#endif
