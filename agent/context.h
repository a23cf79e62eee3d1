/*
 * What everything in the main thread shares: the loop and its helpers, and
 * what a reload swaps.  Owned by the agent; read at the moment of use, never kept.
 */
#ifndef AGENT_CONTEXT_H
#define AGENT_CONTEXT_H

#include "agent/credentials.h"
#include "agent/roster.h"
#include "agent/workers.h"
#include "base/resolver.h"
#include "tunnel/frame.h"

struct context {
	struct loop *loop;
	struct resolver *resolver;
	struct workers *workers;
	struct credentials *credentials;
	struct roster *roster;
	struct frame_hello hello;	/* what relays are told first */
	unsigned pool_least, pool_most;
	uint64_t tolerance_ms;
};

#endif
