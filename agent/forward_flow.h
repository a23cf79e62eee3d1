/*
 * One connection of a forward, from accept to close: the server is dialled over TLS, with
 * the forward's certificate, and judged; then the two are joined.  Nothing is read from the
 * client before.
 *
 *	dialling --> joined --> over
 *	       `------------->
 *
 * Each ends with one line in the log.  Where the server cannot be reached, or is not who it should be, the
 * client is reset: it must not take that for an empty answer.  (A unix socket knows a reset only where
 * bytes of the client were not read.)
 */
#ifndef AGENT_FORWARD_FLOW_H
#define AGENT_FORWARD_FLOW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/list_walk.h"
#include "base/loop.h"

struct address;
struct forward;
struct forward_flow;
struct resolver;
struct stalls;
struct listing_step;
LIST_HEAD(forward_flow_list, forward_flow);

/* Those of all forwards, and who walks over them. */
struct forward_flow_place {
	struct forward_flow_list flows;
	struct list_walks walks;
};

struct forward_flow_context {
	struct loop *loop;
	struct resolver *resolver;
	struct stalls *stalls;            /* of the joined ones */
	struct forward_flow_place *place; /* NULL: nobody lists them */
	/* Of a flow that has ended: called once, never inside forward_flow_new(); the owner then calls
	 * forward_flow_free(). */
	void (*on_over)(void *arg, struct forward_flow *);
	void *arg;
};

/* Takes the descriptor, also on failure; context and peer are borrowed, the one while the flow lives and the
 * other for the call.  NULL when memory is short, which was told. */
struct forward_flow *forward_flow_new(const struct forward_flow_context *, struct forward *, int fd,
    const struct address *peer, struct forward_flow_list *);
/* A flow that is not over yet is reset, and logged as agent-stopped. */
void forward_flow_free(struct forward_flow *);
struct forward_flow *forward_flow_next(struct forward_flow *);

/* A step of a listing (base/listing.h); the place is a struct forward_flow_place.  Rows are as those of
 * agent/flow_listing.h. */
bool forward_flow_list_step(void *place, struct listing_step *);

/* Judges the server's certificate by the trust of the forward as it is now, or by its own if that leads to
 * another server by now, and ends the flow if it is no longer good.  Expiry alone ends none: the server
 * has been given a new one meanwhile, as a rule. */
void forward_flow_judge_again(struct forward_flow *, const struct forward *now, int64_t now_s);

#endif
