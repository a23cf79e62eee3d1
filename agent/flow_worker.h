/*
 * A worker of the agent: a thread with a loop, on which channels are dialled,
 * parked, and turned into flows.  A channel and its flow live wholly on one.
 * All functions are called from the main thread and only post messages.
 */
#ifndef AGENT_FLOW_WORKER_H
#define AGENT_FLOW_WORKER_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/loop.h"

struct flow_worker;
struct session_ref;
struct resolver;
struct roster;

enum flow_worker_report {
	FLOW_WORKER_PARKED,	/* a dial came through */
	FLOW_WORKER_FAILED,	/* a dial did not */
	FLOW_WORKER_OPENED,	/* a parked channel was taken by a flow */
	FLOW_WORKER_LOST,	/* a parked channel was closed by the relay */
};

struct flow_worker_wish {
	struct loop *main_loop;
	struct resolver *resolver;
	struct roster *roster;		/* held by the worker from here on */
	_Atomic uint64_t *flow_count;	/* of all workers */
	/* In the main thread. The ref is borrowed; error is NULL but for FAILED and LOST. */
	void (*on_report)(struct session_ref *, enum flow_worker_report, const char *error);
};

/* NULL when the system refuses. */
struct flow_worker *flow_worker_start(const char *name, const struct flow_worker_wish *);
/* Each returns false when memory is short: the order is not given. */
bool flow_worker_dial(struct flow_worker *, struct session_ref *);
bool flow_worker_drop(struct flow_worker *,
    struct session_ref *); /* its session is over: no parked channel is left */
bool flow_worker_publish(
    struct flow_worker *, struct roster *);   /* from now on; all flows are judged again */
bool flow_worker_drain(struct flow_worker *); /* no new channels; new flows are refused */
/* Ends its flows and waits for the thread. */
void flow_worker_stop(struct flow_worker *);

#endif
