/*
 * One client's connection from its hello's verdict to its end: finds a way,
 * hands the held hello over, and then lets the pump work.
 *
 *	looking --> taking --> opening --> joined --> over     an agent's endpoint
 *	   |  <-------'           |
 *	   |  <-------------------'  (retry: the next agent first)
 *	   |----> connecting ---------> joined --> over        a static upstream, or several in turn
 *	   `<---> waiting                                       for an agent (flow_wait.h)
 *
 * Until it is joined, the client's hello is held and at most one buffer more is
 * read.  One attempt has 5 s, and less where its agent turns out to be silent or its channel to be
 * lost (flow_agent.c); there are at most 3, and 10 s for all of them and for the waiting.
 *
 * What holds for every flow (tests/sim/world.h checks it at every step): it has
 * exactly one line when it ends, and that line has the reason; and once its hello
 * has gone to an agent and offers early data, no other attempt follows unless the
 * agent has answered `fail`.
 */
#ifndef RELAY_FLOW_H
#define RELAY_FLOW_H

#include <stdbool.h>
#include <stdint.h>

struct flow;
struct worker_context;
struct trust;
struct conn;

/* Takes the connection. name is what to route by: the hello's server name or, when a refusal says
 * so, the pattern of a static route; then only static routes are looked at. */
void flow_start(struct worker_context *, struct conn *, const char *name);
/* Judges the agents of all the worker's flows again.  A flow of an agent that is refused now is
 * ended, or goes to another agent if it is not joined yet. */
void flow_judge_all(struct worker_context *, struct trust *, int64_t now);
/* Resets all flows of the worker at once. */
void flow_cut_all(struct worker_context *, const char *reason);

#endif
