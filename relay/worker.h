/*
 * One worker's part of the relay: its loop, its listeners, and lists of all
 * that lives there.  Everything in it belongs to its thread; others speak to it
 * through worker_post functions, which call into its loop.
 *
 *	worker_new --> worker_start --> (messages) --> worker_stop, all of them --> worker_join
 */
#ifndef RELAY_WORKER_H
#define RELAY_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/listing.h"
#include "base/loop.h"
#include "relay/agent_session.h"

struct handover_conn;
struct relay_metrics_sums;
struct rules;
struct shared;
struct trust;
struct worker;

/* Steps of the start and of a drain, each told once. Flows need the agents until the last worker is idle,
 * so a worker says goodbye only when it is told to. */
enum worker_event {
	WORKER_LISTENS, /* at the start: clients and agents can come */
	WORKER_FAILED,  /* instead: a listener cannot be watched */
	WORKER_IDLE,    /* no client is left, and none will come */
	WORKER_EMPTY,   /* after the goodbye: no session is left either, or it took too long */
	WORKER_EVENTS
};

/* on_event is called in `main`, the loop of the main thread. Holds the rules; NULL when memory is short. */
struct worker *worker_new(struct shared *, struct rules *, struct loop *main,
    void (*on_event)(void *arg, enum worker_event), void *arg);
/* One listening descriptor for the settings' listener of this index; adopted, but not when it fails (memory).
 * Before the start. */
bool worker_add_listener(struct worker *, size_t index, int fd);
/* Its listeners, borrowed, up to `most`; how many there are.  Until a drain begins. */
size_t worker_listeners(const struct worker *, int *fds, size_t most);
/* Before the start: nothing is accepted until worker_post_accept(). */
void worker_hold_back(struct worker *);
bool worker_start(struct worker *, unsigned number);

/* From the main thread, after the start; none of them can fail. What was not obeyed yet is replaced by what
 * comes later: the newest rules and the newest trust set count. */
void worker_post_rules(struct worker *, struct rules *); /* held by the call */
/* All are judged again by it.  Held by the call; NULL: no agents. */
void worker_post_trust(struct worker *, struct trust *);
void worker_post_drain(struct worker *, uint64_t deadline_ms);
void worker_post_accept(struct worker *);
/* Agents that can do so make their next session before this one ends, within about this time. */
void worker_post_move(struct worker *, uint64_t spread_ms);
/* A connection that another process has accepted; fd is taken, the rest copied.  False when memory is
 * short. */
bool worker_post_conn(struct worker *, const struct handover_conn *, int fd);
/* To the agents, perhaps after cutting flows. */
void worker_post_goodbye(struct worker *, bool cuts_flows);
/* Counts what lives there, in its thread; then on_counts is called in the main loop. The storage is the
 * caller's, and busy until then. A worker that has stopped has nothing. */
struct worker_census {
	struct agent_session_counts counts;
	void (*on_counts)(void *arg);
	void *arg;
	/* worker.c's own */
	struct worker *worker;
	struct question question;
};
void worker_take_census(
    struct worker *, struct worker_census *, void (*on_counts)(void *arg), void *arg);
/* Its loop has a turn, and then `reply` is called in the main loop with data.  The question is busy until
 * then. */
void worker_knock(struct worker *, struct question *, void (*reply)(void *data), void *data);
/* What it has counted so far, added to the sums.  Any thread. */
void worker_add_metrics(const struct worker *, struct relay_metrics_sums *);
/* A part of a listing: the step's argument is the struct worker_context. */
struct listing_source worker_source(
    struct worker *, bool (*step)(void *context, struct listing_step *));
/* Of a worker that was started; it lives until worker_join(). */
struct loop *worker_loop(const struct worker *);
void worker_stop(struct worker *);
/* Every worker must have been stopped before the first is joined: they wait for one another. */
void worker_join(struct worker *);
void worker_free(struct worker *);

#endif
