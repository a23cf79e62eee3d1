/*
 * Which agent a line of the log is about.  Who has a sub-CA may call an agent as
 * he likes, so its name alone says little: its issuer stands beside it, and the
 * beginning of the issuer's key, because two CAs may have one name, too.
 */
#ifndef RELAY_AGENT_FIELDS_H
#define RELAY_AGENT_FIELDS_H

#include "base/log.h"
#include "pki/identity.h"

/* Three fields; NULL leaves them out. */
#define log_agent(identity) \
	log_str("agent", agent_field(identity, identity_name)), \
	    log_str("issuer", agent_field(identity, identity_issuer)), \
	    log_str("issuer_key", agent_field(identity, identity_issuer_key))

static inline const char *
agent_field(const struct identity *identity, const char *(*of)(const struct identity *))
{
	return identity ? of(identity) : NULL;
}

#endif
