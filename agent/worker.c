/*
 * The workers of the agent.
 *
 * No message between the threads can fail because memory is short: a channel is
 * ordered with one object, made by the main thread, which also carries what the
 * worker has to report about it; everything else that the main thread wants of a
 * worker is left where the worker looks when its one embedded call arrives.
 *
 * Most flows need no message: the worker replaces the channel that was used,
 * with the same order.  It does so a little later, so that the flow which has
 * just begun does not wait for the handshake, unless no channel is left.
 */
#include "agent/worker.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/endpoint_table.h"
#include "agent/flow.h"
#include "agent/limits.h"
#include "agent/metrics.h"
#include "agent/pooled_channel.h"
#include "agent/session_ref.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/name_counts.h"
#include "base/numbers.h"
#include "base/shares.h"
#include "base/thread.h"
#include "tunnel/pump.h"
#include "tunnel/standstill.h"

enum { JUDGE_EVERY_MS = 30000, REPLACE_MS = 2, ORDER_ERROR = 320, WORKER_NAME = 24 };

LIST_HEAD(channel_orders, channel_order);

struct agent_workers {
	struct loop *main_loop;
	struct resolver *resolver;
	struct shares *flows, *handshakes, *lingers, *hellos; /* of all workers */
	struct standstills standstills;                       /* likewise */
	struct name_counts *names;                            /* likewise */
	void (*on_report)(struct agent_session_ref *, enum channel_report, const char *error);
	_Atomic uint64_t flow_count;
	_Atomic bool is_draining;
	unsigned count, next;
	struct agent_worker *workers[];
};

struct agent_worker {
	struct agent_workers *workers;
	struct thread *thread;
	/* The main thread calls update() unless a call is on its way already. */
	struct call update, stop;
	_Atomic bool is_called;
	_Atomic(struct endpoint_table *) next_table; /* held; NULL: no other one */
	/* The thread's own. */
	struct agent_flow_context context;
	struct channel_orders orders; /* not taken by a flow yet */
	struct channel_orders used;   /* to be replaced */
	struct timer replace;
	struct agent_flow_place place; /* of its flows */
	struct stalls stalls;
	struct agent_metrics metrics;
	struct timer judge;
};

/* One channel after the other, from the main thread's order to what is not replaced any more.  The worker
 * frees it, or the main thread when it has heard the report. */
struct channel_order {
	LIST_ENTRY(channel_order) link;
	struct agent_worker *worker;
	struct agent_session_ref *ref;
	struct pooled_channel *channel;
	uint64_t dialled_at_ms;
	struct call dial, end;
	enum channel_report report; /* the last one */
	char error[ORDER_ERROR];
	void (*on_report)(struct agent_session_ref *, enum channel_report, const char *error);
};

/* ---- the main thread hears of a channel ---- */

static void
drop_order(struct channel_order *order)
{
	agent_session_ref_release(order->ref);
	free(order);
}

static void
deliver_end(void *data)
{
	struct channel_order *order = data;

	order->on_report(order->ref, order->report, order->error[0] ? order->error : NULL);
	drop_order(order);
}

static void
deliver_wanted(void *data)
{
	struct agent_session_ref *ref = data;

	atomic_store(&ref->is_called, false); /* what is wanted later makes another call */
	ref->on_wanted(ref);
	agent_session_ref_release(ref);
}

/* ---- channels on their worker ---- */

static void
tell_wanted(struct agent_worker *worker, struct agent_session_ref *ref)
{
	if (!atomic_exchange(&ref->is_called, true))
		loop_call(worker->workers->main_loop, &ref->wanted, deliver_wanted,
		    agent_session_ref_hold(ref));
}

/* The channel is somebody else's, or was never made. */
static void
take_channel(struct channel_order *order)
{
	if (order->channel)
		LIST_REMOVE(order, link);
	order->channel = NULL;
}

static void
report_end(struct channel_order *order, enum channel_report report, const char *error)
{
	take_channel(order);
	order->report = report;
	if (error)
		snprintf(order->error, sizeof order->error, "%s", error);
	loop_call(order->worker->workers->main_loop, &order->end, deliver_end, order);
}

/* Nobody hears of it. */
static void
drop_channel(struct channel_order *order)
{
	pooled_channel_free(order->channel);
	take_channel(order);
	drop_order(order);
}

static void
on_parked(struct channel_order *order)
{
	struct channel_pool *pool = &order->ref->pool;

	channel_pool_note_dial(pool, clock_ms() - order->dialled_at_ms);
	if (channel_pool_parked(pool, clock_ms()))
		tell_wanted(order->worker, order->ref);
	if (channel_pool_sheds(pool))
		drop_channel(order);
}

static void
replace_later(struct channel_order *order)
{
	struct agent_worker *worker = order->worker;
	bool was_last = channel_pool_left(&order->ref->pool);

	take_channel(order);
	LIST_INSERT_HEAD(&worker->used, order, link);
	if (was_last || !worker->replace.armed)
		timer_set(&worker->replace, was_last ? 0 : REPLACE_MS);
}

static void
on_flow_over(void *arg, struct agent_flow *flow)
{
	struct agent_worker *worker = arg;

	agent_flow_free(flow);
	atomic_fetch_sub(&worker->workers->flow_count, 1);
}

static void
begin_flow(struct agent_worker *worker, struct pooled_channel *channel)
{
	if (agent_flow_new(&worker->context, channel, &worker->place.flows))
		atomic_fetch_add(&worker->workers->flow_count, 1);
	else
		memory_short("a flow");
}

static enum channel_report
report_of(const struct pooled_channel *channel)
{
	if (pooled_channel_is_parked(channel))
		return CHANNEL_REPORT_LOST;
	return pooled_channel_is_short(channel) ? CHANNEL_REPORT_UNABLE : CHANNEL_REPORT_FAILED;
}

static void
on_channel(void *arg, struct pooled_channel *channel, enum pooled_channel_event event)
{
	struct channel_order *order = arg;
	struct agent_worker *worker = order->worker;

	switch (event) {
	case POOLED_PARKED:
		on_parked(order);
		break;
	case POOLED_OPENED:
		replace_later(order);
		begin_flow(worker, channel);
		break;
	case POOLED_DISPLACED:
		break;
	case POOLED_OVER:
		report_end(order, report_of(channel), pooled_channel_error(channel));
		pooled_channel_free(channel);
		break;
	}
}

/* Where nothing is dialled any more the relay has heard of it before, by the session's drain or its end,
 * and has told those who waited there. */
static void
dial(void *data)
{
	struct channel_order *order = data;
	struct agent_worker *worker = order->worker;

	if (atomic_load(&worker->workers->is_draining) || atomic_load(&order->ref->is_over)) {
		drop_order(order);
		return;
	}
	order->dialled_at_ms = clock_ms();
	order->channel = pooled_channel_new(worker->context.loop, worker->context.resolver,
	    worker->workers->hellos, order->ref, on_channel, order);
	if (order->channel)
		LIST_INSERT_HEAD(&worker->orders, order, link);
	else {
		memory_short("a channel that was to be dialled");
		report_end(order, CHANNEL_REPORT_UNABLE, "memory is short");
	}
}

static void
replace(struct channel_order *order)
{
	struct channel_pool *pool = &order->ref->pool;

	switch (channel_pool_replace(pool, clock_ms())) {
	case REPLACE_NOW:
		if (channel_pool_is_short(pool, clock_ms()))
			tell_wanted(order->worker, order->ref);
		dial(order);
		return;
	case REPLACE_NOT:
		break;
	case REPLACE_LATER:
		tell_wanted(order->worker, order->ref);
		break;
	}
	drop_order(order);
}

static void
on_replace(void *arg)
{
	struct agent_worker *worker = arg;
	struct channel_order *order;

	while ((order = LIST_FIRST(&worker->used))) {
		LIST_REMOVE(order, link);
		replace(order);
	}
}

static bool
must_go(const struct channel_order *order)
{
	return atomic_load(&order->ref->is_over) ||
	    (pooled_channel_is_parked(order->channel) && channel_pool_sheds(&order->ref->pool));
}

static void
drop_channels(struct agent_worker *worker, bool all)
{
	struct channel_order *order = LIST_FIRST(&worker->orders), *next;

	for (; order; order = next) {
		next = LIST_NEXT(order, link);
		if (all || must_go(order))
			drop_channel(order);
	}
}

/* ---- flows on their worker ---- */

static void
judge_flows(struct agent_worker *worker)
{
	int64_t now_s = clock_wall_s();
	struct agent_flow *flow = LIST_FIRST(&worker->place.flows), *next;

	for (; flow; flow = next) {
		next = agent_flow_next(flow);
		agent_flow_judge_again(flow, now_s);
	}
}

static void
on_judge(void *arg)
{
	struct agent_worker *worker = arg;

	judge_flows(worker);
	timer_set(&worker->judge, JUDGE_EVERY_MS);
}

/* Brings the worker to what the main thread wants now. */
static void
update(void *data)
{
	struct agent_worker *worker = data;
	struct endpoint_table *table;

	/* First of all: what is wanted later makes another call. */
	atomic_store(&worker->is_called, false);
	worker->context.is_draining = atomic_load(&worker->workers->is_draining);
	drop_channels(worker, false);
	table = atomic_exchange(&worker->next_table, NULL);
	if (!table)
		return;
	endpoint_table_release(worker->context.endpoint_table);
	worker->context.endpoint_table = table;
	judge_flows(worker);
}

/* ---- orders of the main thread ---- */

static bool
order_channel(
    struct agent_workers *workers, struct agent_worker *worker, struct agent_session_ref *ref)
{
	struct channel_order *order = calloc(1, sizeof *order);

	if (!order) {
		memory_short("a channel that was to be dialled");
		return false;
	}
	order->worker = worker;
	order->ref = agent_session_ref_hold(ref);
	order->on_report = workers->on_report;
	loop_call(thread_loop(worker->thread), &order->dial, dial, order);
	return true;
}

unsigned
agent_workers_dial(struct agent_workers *workers, struct agent_session_ref *ref, unsigned count)
{
	unsigned ordered = 0;

	for (unsigned i = 0; i < count; i++)
		ordered +=
		    order_channel(workers, workers->workers[workers->next++ % workers->count], ref);
	return ordered;
}

static void
call_update(struct agent_worker *worker)
{
	if (!atomic_exchange(&worker->is_called, true))
		loop_call(thread_loop(worker->thread), &worker->update, update, worker);
}

static void
call_update_of_all(struct agent_workers *workers)
{
	for (unsigned i = 0; i < workers->count; i++)
		call_update(workers->workers[i]);
}

void
agent_workers_drop(struct agent_workers *workers, struct agent_session_ref *ref)
{
	atomic_store(&ref->is_over, true);
	call_update_of_all(workers);
}

void
agent_workers_shed(struct agent_workers *workers)
{
	call_update_of_all(workers);
}

void
agent_workers_publish(struct agent_workers *workers, struct endpoint_table *table)
{
	for (unsigned i = 0; i < workers->count; i++) {
		endpoint_table_release(
		    atomic_exchange(&workers->workers[i]->next_table, endpoint_table_hold(table)));
		call_update(workers->workers[i]);
	}
}

void
agent_workers_drain(struct agent_workers *workers)
{
	atomic_store(&workers->is_draining, true);
	call_update_of_all(workers);
}

uint64_t
agent_workers_flow_count(const struct agent_workers *workers)
{
	return atomic_load(&workers->flow_count);
}

/* ---- what is known ---- */

void
agent_workers_sum(const struct agent_workers *workers, struct agent_metrics_sums *sums,
    struct shares_load loads[AGENT_LOADS])
{
	*sums = (struct agent_metrics_sums){ 0 };
	for (unsigned i = 0; i < workers->count; i++)
		agent_metrics_add(
		    sums, &workers->workers[i]->metrics, workers->workers[i]->stalls.moved);
	loads[AGENT_LOAD_FLOWS] = shares_load(workers->flows);
	loads[AGENT_LOAD_HANDSHAKES] = shares_load(workers->handshakes);
	loads[AGENT_LOAD_HELLOS] = shares_load(workers->hellos);
}

struct name_counts *
agent_workers_names(const struct agent_workers *workers)
{
	return workers->names;
}

struct turns {
	unsigned missing;
	void (*on_answer)(void *arg);
	void *arg;
	struct question questions[];
};

static void
turn(void *data)
{
	(void)data;
}

static void
on_turned(void *data)
{
	struct turns *turns = data;

	if (--turns->missing > 0)
		return;
	turns->on_answer(turns->arg);
	free(turns);
}

bool
agent_workers_knock(struct agent_workers *workers, void (*on_answer)(void *arg), void *arg)
{
	struct turns *turns =
	    calloc(1, sizeof *turns + workers->count * sizeof turns->questions[0]);

	if (!turns)
		return false;
	turns->missing = workers->count;
	turns->on_answer = on_answer;
	turns->arg = arg;
	for (unsigned i = 0; i < workers->count; i++)
		loop_ask(thread_loop(workers->workers[i]->thread), &turns->questions[i], turn,
		    turns, workers->main_loop, on_turned);
	return true;
}

unsigned
agent_workers_sources(struct agent_workers *workers,
    bool (*step)(void *place, struct listing_step *), struct listing_source *sources)
{
	for (unsigned i = 0; i < workers->count; i++)
		sources[i] =
		    (struct listing_source){ .loop = thread_loop(workers->workers[i]->thread),
			    .step = step,
			    .arg = &workers->workers[i]->place };
	return workers->count;
}

/* ---- life ---- */

static void
run(void *arg, struct loop *loop)
{
	struct agent_worker *worker = arg;

	worker->context.loop = loop;
	pump_stalls_init(&worker->stalls, loop, agent_flow_on_held);
	timer_init(&worker->judge, loop, on_judge, worker);
	timer_init(&worker->replace, loop, on_replace, worker);
	timer_set(&worker->judge, JUDGE_EVERY_MS);
	loop_run(loop);
}

static struct agent_worker *
start(struct agent_workers *workers, struct endpoint_table *table)
{
	struct agent_worker *worker = calloc(1, sizeof *worker);
	char name[WORKER_NAME];

	if (!worker)
		return NULL;
	worker->workers = workers;
	worker->context.resolver = workers->resolver;
	worker->context.stalls = &worker->stalls;
	worker->context.metrics = &worker->metrics;
	worker->metrics.names = workers->names;
	worker->context.flows = workers->flows;
	worker->context.handshakes = workers->handshakes;
	worker->context.lingers = workers->lingers;
	worker->context.standstills = &workers->standstills;
	worker->context.walks = &worker->place.walks;
	worker->context.on_over = on_flow_over;
	worker->context.arg = worker;
	worker->context.endpoint_table = endpoint_table_hold(table);
	LIST_INIT(&worker->orders);
	LIST_INIT(&worker->used);
	LIST_INIT(&worker->place.flows);
	snprintf(name, sizeof name, "worker-%u", workers->count);
	worker->thread = thread_start(name, run, worker);
	if (worker->thread)
		return worker;
	endpoint_table_release(table);
	free(worker);
	return NULL;
}

static void
end_all(void *data)
{
	struct agent_worker *worker = data;

	drop_channels(worker, true);
	on_replace(worker); /* which dials nothing any more */
	timer_clear(&worker->replace);
	while (!LIST_EMPTY(&worker->place.flows))
		on_flow_over(worker, LIST_FIRST(&worker->place.flows));
	timer_clear(&worker->judge);
	stalls_wipe(&worker->stalls);
	loop_stop(worker->context.loop);
}

static void
stop(struct agent_worker *worker)
{
	loop_call(thread_loop(worker->thread), &worker->stop, end_all, worker);
	thread_join(worker->thread);
	endpoint_table_release(worker->context.endpoint_table);
	endpoint_table_release(atomic_load(&worker->next_table));
	free(worker);
}

struct agent_workers *
agent_workers_new(unsigned count, struct loop *main_loop, struct resolver *resolver,
    struct endpoint_table *table,
    void (*on_report)(struct agent_session_ref *, enum channel_report, const char *error))
{
	struct agent_workers *workers =
	    calloc(1, sizeof *workers + count * sizeof(struct agent_worker *));

	if (!workers)
		return NULL;
	workers->main_loop = main_loop;
	workers->resolver = resolver;
	workers->on_report = on_report;
	workers->flows = shares_new(SHARES_NEWEST);
	workers->handshakes = shares_new(SHARES_OLDEST);
	workers->lingers = shares_new(SHARES_OLDEST);
	workers->hellos = shares_new(SHARES_OLDEST);
	workers->names = name_counts_new();
	if (!standstills_init(&workers->standstills) || !workers->names || !workers->flows ||
	    !workers->handshakes || !workers->lingers || !workers->hellos) {
		agent_workers_free(workers);
		return NULL;
	}
	shares_set_bounds(
	    workers->lingers, &(struct shares_bounds){ .most = AGENT_FLOW_LINGERS_MOST });
	agent_workers_bound_memory(workers, 0);
	for (; workers->count < count; workers->count++) {
		workers->workers[workers->count] = start(workers, table);
		if (!workers->workers[workers->count]) {
			agent_workers_free(workers);
			return NULL;
		}
	}
	return workers;
}

struct loop *
agent_workers_loop(const struct agent_workers *workers, unsigned number)
{
	return number < workers->count ? thread_loop(workers->workers[number]->thread) : NULL;
}

void
agent_workers_set_limits(struct agent_workers *workers, const struct agent_limits *limits)
{
	shares_set_bounds(workers->flows, &(struct shares_bounds){ .most = limits->flows });
	shares_set_bounds(
	    workers->handshakes, &(struct shares_bounds){ .most = limits->handshakes });
}

void
agent_workers_set_challenges(struct agent_workers *workers, struct challenges *challenges)
{
	for (unsigned i = 0; i < workers->count; i++)
		workers->workers[i]->context.challenges = challenges;
}

void
agent_workers_bound_memory(struct agent_workers *workers, uint64_t memory)
{
	/* Standstills have three quarters of it. */
	uint64_t hellos = memory > 0 ? memory / 4 / POOLED_HELLO_UNIT + 1 : POOLED_HELLOS_MOST;

	standstills_set_bound(&workers->standstills, memory);
	shares_set_bounds(workers->hellos,
	    &(struct shares_bounds){ .most = smaller_of(hellos, POOLED_HELLOS_MOST) });
}

void
agent_workers_free(struct agent_workers *workers)
{
	if (!workers)
		return;
	/* A dial that has not begun must not begin any more. */
	atomic_store(&workers->is_draining, true);
	for (unsigned i = 0; i < workers->count; i++)
		stop(workers->workers[i]);
	shares_free(workers->flows);
	shares_free(workers->handshakes);
	shares_free(workers->lingers);
	shares_free(workers->hellos);
	name_counts_free(workers->names);
	standstills_wipe(&workers->standstills);
	free(workers);
}
