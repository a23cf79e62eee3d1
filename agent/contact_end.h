/*
 * Why a session is over, in words that lead to the cure.
 */
#ifndef AGENT_CONTACT_END_H
#define AGENT_CONTACT_END_H

#include "agent/contact.h"

struct credentials;
struct peer_check;
struct session;

/* From what the relay said, what TLS said, and what we thought of the relay's certificate. */
void contact_end_explain(struct contact_end *, struct session *, const struct peer_check *,
    const struct credentials *);

#endif
