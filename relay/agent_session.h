/*
 * One agent's session on the relay: judged by its certificate, admitted,
 * welcomed; then its endpoints are announced and withdrawn, and other workers'
 * commands for it arrive here.
 *
 *	shaking --> greeted (hello received, judged) --> up --> gone
 *
 * The session ends when its certificate expires, when a CRL lists it, or when
 * its issuer is no longer trusted: see agent_session_judge().
 *
 * Its descriptor counts somewhere until it is closed.  Up to its hello it has a place
 * among the handshakes (limits.handshakes; the oldest of the heaviest network
 * leaves).  While it is up it counts in its usage (usage.h).  Once it is refused or
 * told to end, or is asked whether it lives or kept for a moment after a twin has got its place in the
 * usage, it has one among the lingering refusals (refuse.h), which are shared by
 * all clients and agents; who is displaced there is closed as soon as its last
 * word is sent.
 */
#ifndef RELAY_AGENT_SESSION_H
#define RELAY_AGENT_SESSION_H

#include <stdint.h>
#include "tunnel/code.h"

struct worker_context;
struct trust;
struct conn;

/* Takes the connection. */
void agent_session_start(struct worker_context *, struct conn *);

/* The functions below work on all sessions of the worker. */

void agent_session_judge_all(struct worker_context *, struct trust *, int64_t now);
/* The relay drains: the agents are told to go elsewhere for new flows. */
void agent_session_drain_all(struct worker_context *, uint64_t deadline_ms);
/* Another process takes over: the agents that can do so (FEATURE_MOVE) make their next session within about
 * this time, and end this one only then; the others hear nothing yet. */
void agent_session_move_all(struct worker_context *, uint64_t spread_ms);
/* Says goodbye to each, and ends it. */
void agent_session_end_all(struct worker_context *, enum code, const char *sentence);
/* After a reload: refuses the endpoints whose names static routes have taken, and tells the agents
 * that reserved names may be free again. */
void agent_session_obey_rules_all(struct worker_context *);
/* How many are up, and what they have: endpoints announced, channels parked. */
struct agent_session_counts {
	uint64_t sessions, endpoints;
	uint64_t channels, waiting; /* parked, and flows that wait for one */
};
struct agent_session_counts agent_session_count_all(const struct worker_context *);
/* Ends all at once, without a goodbye. */
void agent_session_cut_all(struct worker_context *);

#endif
