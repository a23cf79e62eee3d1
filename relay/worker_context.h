/*
 * A worker as the objects that live on it see it: its loop, the rules in force,
 * what all workers share, and a list for each kind of object.  Everything here
 * belongs to the worker's own thread.
 *
 * Whoever takes himself off one of the lists calls worker_shrank() afterwards:
 * a drain waits for that.  worker.h is what the rest of the relay sees.
 */
#ifndef RELAY_WORKER_CONTEXT_H
#define RELAY_WORKER_CONTEXT_H

#include <stdbool.h>
#include <sys/queue.h>
#include "base/list_walk.h"
#include "base/loop.h"
#include "relay/metrics.h"
#include "relay/refuse.h"
#include "tunnel/stalls.h"

struct agent_channel;
struct agent_session;
struct flow;
struct intake;
struct rules;
struct shared;

LIST_HEAD(worker_intakes, intake);
LIST_HEAD(worker_flows, flow);
LIST_HEAD(worker_sessions, agent_session);
LIST_HEAD(worker_channels, agent_channel);
TAILQ_HEAD(worker_waiting, flow);

struct worker_context {
	struct shared *shared;
	struct loop *loop;
	struct rules *rules; /* in force now; held */
	struct worker_intakes intakes;
	struct worker_flows flows;
	struct list_walks walks; /* over flows and sessions, see relay/listing.h */
	struct worker_sessions sessions;
	struct worker_sessions departing; /* over, but some of their endpoints are still there */
	struct worker_channels channels;
	struct worker_waiting waiting; /* flows, the oldest look-up first: flow_wait.h */
	struct timer look;             /* for them */
	struct lingers lingers;
	struct stalls stalls; /* of the joined flows */
	struct relay_metrics metrics;
	bool draining;
	void (*on_shrank)(struct worker_context *);
};

/* Something of this worker has ended. */
static inline void
worker_shrank(struct worker_context *worker)
{
	worker->on_shrank(worker);
}

#endif
