/*
 * What an agent counts: each worker for itself, without a lock (base/counter.h), and the main thread what
 * concerns its sessions.  Whoever wants to know adds up all of them, at any moment and in any thread.
 */
#ifndef AGENT_METRICS_H
#define AGENT_METRICS_H

#include "base/histogram.h"
#include "base/word_counts.h"

struct name_counts;

/* Of one worker. */
struct agent_metrics {
	struct name_counts *names;   /* of all; by endpoint */
	struct thread_counter flows; /* that the relays have opened */
	struct thread_counter joined;
	struct word_counts flow_ends;
	/* `open` to joined, to the end of the client's handshake, to the end. */
	struct histogram ready, handshake, duration;
};

/* Of the main thread. */
struct agent_session_metrics {
	struct thread_counter sessions; /* that came up */
	struct thread_counter channels_failed, channels_lost;
	struct word_counts session_ends; /* by code, also of those that never came up */
	struct histogram handshake, rtt; /* dial to welcome; heartbeats */
};

/* Of all workers; {0} has nothing. */
struct agent_metrics_sums {
	uint64_t flows, joined;
	uint64_t bytes[2]; /* of joined flows, as they move: from clients, to clients */
	struct word_sums flow_ends;
	struct histogram_sum ready, handshake, duration;
};

void agent_metrics_add(struct agent_metrics_sums *, const struct agent_metrics *,
    const struct thread_counter moved[2]);

#endif
