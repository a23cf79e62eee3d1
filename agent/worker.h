/*
 * The workers of the agent: threads, each with a loop, on which channels are
 * dialled, parked, and turned into flows.  A channel and its flow live wholly on
 * one worker.
 *
 * All functions belong to the main thread.  They only post messages, so that
 * neither side ever waits for the other; agent_workers_free() alone waits, for
 * the threads to end.
 */
#ifndef AGENT_WORKER_H
#define AGENT_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/listing.h"
#include "base/loop.h"
#include "base/shares.h"

struct agent_limits;
struct agent_metrics_sums;
struct challenges;
struct agent_workers;
struct endpoint_table;
struct name_counts;
struct resolver;
struct agent_session_ref;

/* What the main thread hears of a session's channels.  Of a dial that came through, and of a channel that
 * was used and replaced, it hears nothing: the pool has the numbers. */
enum channel_report {
	CHANNEL_REPORT_FAILED, /* a dial did not come through */
	CHANNEL_REPORT_UNABLE, /* nor did this one, since this host lacks what it wants */
	CHANNEL_REPORT_LOST,   /* a parked channel was closed by the relay */
};

/* NULL when the system refuses.  on_report is called in the main thread; the session_ref is
 * borrowed, and error is NULL but for FAILED and LOST. */
/* Of the worker with this number, below the count; NULL behind them.  It lives until agent_workers_free(). */
struct loop *agent_workers_loop(const struct agent_workers *, unsigned number);
struct agent_workers *agent_workers_new(unsigned count, struct loop *main_loop, struct resolver *,
    struct endpoint_table *,
    void (*on_report)(struct agent_session_ref *, enum channel_report, const char *error));
/* Without limits, until they are set. */
void agent_workers_set_limits(struct agent_workers *, const struct agent_limits *);
/* Before anything is dialled: flows answer these. */
void agent_workers_set_challenges(struct agent_workers *, struct challenges *);
/* Once a second: limits.memory, for what stands still (tunnel/standstill.h) and for hellos under way
 * (agent/pooled_channel.h). */
void agent_workers_bound_memory(struct agent_workers *, uint64_t memory);
/* Ends all flows. NULL is fine. */
void agent_workers_free(struct agent_workers *);

/* Dials `count` channels, each on the next worker; returns how many were ordered. */
unsigned agent_workers_dial(struct agent_workers *, struct agent_session_ref *, unsigned count);
/* The session is over: its parked channels are closed. */
void agent_workers_drop(struct agent_workers *, struct agent_session_ref *);
/* A pool has a smaller share: the parked channels that it sheds are closed. */
void agent_workers_shed(struct agent_workers *);
/* Flows are opened by this table from now on, and all present ones are judged again. */
void agent_workers_publish(struct agent_workers *, struct endpoint_table *);
/* No channel is dialled from now on, and new flows are refused. */
void agent_workers_drain(struct agent_workers *);
/* Parts of a listing, one for each worker, whose steps get a struct agent_flow_place; how many there are, at
 * most DAEMON_WORKERS_MOST. */
unsigned agent_workers_sources(struct agent_workers *,
    bool (*step)(void *place, struct listing_step *), struct listing_source *);
/* Flows at this moment. */
uint64_t agent_workers_flow_count(const struct agent_workers *);

/* What all of them have counted so far; `loads` is how much of limits.flows, limits.handshakes and the hellos
 * is used.  Any thread. */
enum agent_load { AGENT_LOAD_FLOWS, AGENT_LOAD_HANDSHAKES, AGENT_LOAD_HELLOS, AGENT_LOADS };
void agent_workers_sum(const struct agent_workers *, struct agent_metrics_sums *,
    struct shares_load loads[AGENT_LOADS]);
/* By endpoint; borrowed. */
struct name_counts *agent_workers_names(const struct agent_workers *);
/* Calls on_answer in the main loop when the loop of each worker has had a turn since; at the latest when that
 * loop is freed.  False when memory is short. */
bool agent_workers_knock(struct agent_workers *, void (*on_answer)(void *arg), void *arg);

#endif
