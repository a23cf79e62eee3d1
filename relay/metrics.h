/*
 * What the workers of a relay count: each for itself, without a lock (base/counter.h).  Whoever wants to know
 * adds up all of them, at any moment and in any thread, without a walk over flows or sessions.
 */
#ifndef RELAY_METRICS_H
#define RELAY_METRICS_H

#include "base/histogram.h"
#include "base/word_counts.h"
#include "relay/refuse.h"

/* How a flow goes to the far side. */
enum relay_way { RELAY_WAY_STATIC, RELAY_WAY_SEALED, RELAY_WAY_HANDOFF, RELAY_WAYS };
extern const char *const relay_way_words[RELAY_WAYS];

/* Of one worker. */
struct relay_metrics {
	struct thread_counter accepted; /* connections */
	struct thread_counter flows;    /* that have begun */
	struct thread_counter joined[RELAY_WAYS];
	struct thread_counter attempts_failed;   /* on the way of flows */
	struct thread_counter refused[REFUSALS]; /* clients */
	struct thread_counter
	    agents_too_fast;            /* sessions and channels that came faster than they may */
	struct thread_counter taking;   /* flows that wait for a channel now */
	struct thread_counter sessions; /* that were welcomed */
	struct word_counts flow_ends, sessions_refused, session_ends;
	/* Accept to whole hello, accept to joined, accept to end; for a channel; accept to welcome;
	 * heartbeats. */
	struct histogram hello, ready, duration, channel_wait, handshake, rtt;
};

/* Of all workers; {0} has nothing. */
struct relay_metrics_sums {
	uint64_t accepted, flows, joined[RELAY_WAYS], attempts_failed, refused[REFUSALS];
	uint64_t agents_too_fast, taking, sessions;
	uint64_t bytes[2]; /* of joined flows, as they move: from clients, to clients */
	struct word_sums flow_ends, sessions_refused, session_ends;
	struct histogram_sum hello, ready, duration, channel_wait, handshake, rtt;
};

/* Adds what one worker has counted; `moved` is that of its pumps.  Any thread. */
void relay_metrics_add(struct relay_metrics_sums *, const struct relay_metrics *,
    const struct thread_counter moved[2]);

#endif
