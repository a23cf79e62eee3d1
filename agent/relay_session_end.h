/*
 * Why a session is over, in words that lead to the cure.
 */
#ifndef AGENT_RELAY_SESSION_END_H
#define AGENT_RELAY_SESSION_END_H

#include "agent/relay_session.h"

struct credentials;
struct peer_check;
struct session;

/* From what the relay said, what TLS said, and what we thought of the relay's certificate. */
void relay_session_end_explain(struct relay_session_end *, struct session *,
    const struct peer_check *, const struct credentials *);

#endif
