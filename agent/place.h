/*
 * What everything in the main thread shares: the loop and its helpers, and
 * what a reload swaps.  Owned by the agent; read at the moment of use, never kept.
 */
#ifndef AGENT_PLACE_H
#define AGENT_PLACE_H

#include "agent/crew.h"
#include "agent/credentials.h"
#include "agent/roster.h"
#include "base/resolver.h"
#include "tunnel/frame.h"

struct place {
	struct loop *loop;
	struct resolver *resolver;
	struct crew *crew;
	struct credentials *credentials;
	struct roster *roster;
	struct frame_hello hello;	/* what relays are told first */
	unsigned pool_least, pool_most;
	uint64_t tolerance_ms;
};

#endif
