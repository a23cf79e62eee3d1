/*
 * What everything in the main thread shares: the loop and its helpers, and
 * what a reload replaces.  Owned by the agent; its members are read at the
 * moment of use, and nobody keeps a pointer to what they point at.
 */
#ifndef AGENT_CONTEXT_H
#define AGENT_CONTEXT_H

#include "agent/credentials.h"
#include "agent/endpoint_table.h"
#include "agent/state.h"
#include "agent/worker.h"
#include "base/fetch.h"
#include "base/resolver.h"
#include "tunnel/frame.h"

struct agent_session_metrics;
struct challenges;
struct record_lookups;
struct relay_paths;

struct agent_context {
	struct loop *loop;
	struct resolver *resolver;
	struct record_lookups *records; /* of the DNS */
	struct fetcher *fetcher;
	const struct fetch_proxy *proxy; /* of `paths`, for what is fetched; NULL: none */
	struct relay_paths *paths;       /* NULL: relays are dialled as their labels say */
	struct agent_workers *workers;
	struct credentials *credentials;
	struct endpoint_table *endpoint_table;
	struct challenges *challenges;         /* NULL: there can be none */
	struct agent_session_metrics *metrics; /* NULL: nothing is counted */
	struct frame_hello hello;              /* the first frame of each session */
	unsigned pool_least, pool_most;
	uint64_t tolerance_ms;
};

/* Fills the hello and the numbers; the pointers stay as they are. */
void agent_context_configure(
    struct agent_context *, const struct agent_settings *, const struct agent_state *);

#endif
