/* What the parts of a diagnosis share. */
#ifndef AGENT_DIAGNOSE_PRIVATE_H
#define AGENT_DIAGNOSE_PRIVATE_H

#include "agent/credentials.h"
#include "agent/endpoint_table.h"
#include "agent/findings.h"
#include "agent/relay_path.h"
#include "base/loop.h"
#include "base/resolver.h"

/* One thing is tried at a time: each step starts it, and runs the loop until it has ended. */
struct diagnosis {
	const struct agent_settings *settings;
	struct relay_paths *paths;
	struct credentials *credentials;
	struct endpoint_table *table;
	struct loop *loop;
	struct resolver *resolver;
	struct diagnosis_findings findings;
	uint64_t hold_ms;
};

/* With the relay of one entry of agent.connect_url. */
void diagnose_relay(struct diagnosis *, const struct relay_path *);
/* The session with it, and what it says of each endpoint, in a dry run. */
void diagnose_session(struct diagnosis *, const struct relay_path *);
/* The upstreams of an endpoint, and who answers for its public name. */
void diagnose_endpoint(struct diagnosis *, const struct endpoint *);

#endif
