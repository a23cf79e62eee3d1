/*
 * A flow: one client's connection, from the relay's `open` to the close.
 *
 *	passthrough: opened ----------------------> dialling --> joined --> over
 *	terminate:   opened --> handshaking ------> dialling --> joined --> over
 *	                             \-----------------\--> lingering ----> over
 *	refused with `fail`: opened ---------------------------------------> over
 *	challenge:   opened --> handshaking --> lingering -----------------> over
 *
 * An ACME server that looks for the answer to a challenge (challenge.h) sees it in the handshake, and
 * that is all.
 *
 * In terminate mode the client's handshake is finished and its certificate
 * judged before the upstream is dialled, so that a stranger never opens an
 * upstream socket.
 *
 * Each flow lives on one worker and ends with one line in the log.
 *
 * Shared by:     all relays, and within what came through one of them its clients
 *                (base/shares.h).
 * Bound:         limits.flows, and limits.handshakes in terminate mode; for memory that
 *                clients hold by taking nothing see tunnel/standstill.h.
 * Who leaves:    the relay with most pays, in it the heaviest block of clients, with its
 *                newest flow or its oldest handshake.  So a relay that opens flows without
 *                end leaves those of the others alone.  What is joined is reset, a client
 *                with whom TLS has begun gets alert 80, a handshake that gives way itself is
 *                closed, and of what has not begun the relay hears flow-limit.  Both are read
 *                from for a second or two, until they have heard it, outside of limits.flows:
 *                AGENT_FLOW_LINGERS_MOST of them, and the oldest of the heaviest is closed at
 *                once.
 */
#ifndef AGENT_FLOW_H
#define AGENT_FLOW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/list_walk.h"
#include "base/loop.h"

struct agent_flow;
struct agent_metrics;
struct challenges;
struct endpoint_table;
struct pooled_channel;
struct resolver;
struct shares;
struct stalls;
struct standstills;
LIST_HEAD(agent_flow_list, agent_flow);

enum { AGENT_FLOW_HANDSHAKE_MS = 10000, AGENT_FLOW_LINGERS_MOST = 16 };

/* Where the flows of a worker are, and those who walk over them. */
struct agent_flow_place {
	struct agent_flow_list flows;
	struct list_walks walks;
};

/* What a flow needs of its worker.  A reload replaces the endpoint table. */
struct agent_flow_context {
	struct loop *loop;
	struct resolver *resolver;
	struct endpoint_table *endpoint_table;
	struct challenges *challenges; /* NULL: there are none */
	struct stalls *stalls;         /* of the joined flows */
	/* Shared by all workers; owned by the relays' numbers. */
	struct shares *flows, *handshakes, *lingers;
	struct standstills *standstills; /* likewise */
	struct agent_metrics *metrics;   /* NULL: nothing is counted */
	struct list_walks *walks;        /* over the list of its flows; NULL: nobody walks */
	bool is_draining;
	/* Of a flow that has ended: called once, never inside agent_flow_new(); the owner then calls
	 * agent_flow_free(). */
	void (*on_over)(void *arg, struct agent_flow *);
	void *arg;
};

/* Of pump_stalls_init(), for the list of a worker. */
void agent_flow_on_held(void *flow, uint64_t own_bytes, uint64_t kernel_bytes);

/* Takes the pooled channel, which the relay has just opened, also on failure.  The context is borrowed
 * while the flow lives.  NULL when memory is short. */
struct agent_flow *agent_flow_new(
    const struct agent_flow_context *, struct pooled_channel *, struct agent_flow_list *);
/* A flow that is not over yet is reset, and logged as agent-stopped. */
void agent_flow_free(struct agent_flow *);
struct agent_flow *agent_flow_next(struct agent_flow *);

/* Judges the certificates of the client and of the relay by the trust of the present endpoint
 * table, and ends the flow if one of them is no longer good. */
void agent_flow_judge_again(struct agent_flow *, int64_t now_s);

#endif
