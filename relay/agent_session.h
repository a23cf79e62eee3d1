/*
 * One agent's session on the relay: judged by its certificate, admitted,
 * welcomed; then its endpoints are announced and withdrawn, and other workers'
 * commands for it arrive here.
 *
 *	shaking --> greeted (hello received, judged) --> up --> gone
 *
 * A certificate that ends, that a CRL lists, or whose issuer is trusted no
 * more ends the session: see agent_session_judge().
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

/* The rest is for all sessions of the worker. */

void agent_session_judge_all(struct worker_context *, struct trust *, int64_t now);
/* The relay drains: the agents are told to go elsewhere for new flows. */
void agent_session_drain_all(struct worker_context *, uint64_t deadline_ms);
/* Says goodbye, and ends them. */
void agent_session_end_all(struct worker_context *, enum code, const char *sentence);
/* New rules: refuses the endpoints whose names the static routes have taken, and says that names may have been
 * given back. */
void agent_session_obey_rules_all(struct worker_context *);
/* How many are up, and what they have: endpoints announced, channels parked. */
struct agent_session_counts {
	uint64_t sessions, endpoints, channels;
};
struct agent_session_counts agent_session_count_all(const struct worker_context *);
/* At once, without a word. */
void agent_session_cut_all(struct worker_context *);

#endif
