/*
 * The workers of the agent.
 */
#include "agent/worker.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/endpoint_table.h"
#include "agent/flow.h"
#include "agent/pooled_channel.h"
#include "agent/session_ref.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/thread.h"

enum { JUDGE_EVERY_MS = 30000, REPORT_ERROR = 320, WORKER_NAME = 24 };

struct agent_workers {
	struct loop *main_loop;
	struct resolver *resolver;
	void (*on_report)(struct session_ref *, enum channel_report, const char *error);
	_Atomic uint64_t flow_count;
	unsigned count, next;
	struct agent_worker *workers[];
};

/* All but `workers` and `thread` is the thread's own. */
struct agent_worker {
	struct agent_workers *workers;
	struct thread *thread;
	struct agent_flow_context context;
	struct pooled_channels channels;
	struct agent_flow_list flows;
	struct timer judge;
	struct message stop;	/* here, because stopping must not fail for want of memory */
};

/* ---- reports to the main thread ---- */

struct report_message {
	struct message message;
	void (*on_report)(struct session_ref *, enum channel_report, const char *error);
	struct session_ref *ref;
	enum channel_report report;
	char error[REPORT_ERROR];
};

static void
deliver_report(struct message *message)
{
	struct report_message *m = container_of(message, struct report_message, message);

	m->on_report(m->ref, m->report, m->error[0] ? m->error : NULL);
	session_ref_release(m->ref);
	free(m);
}

static void
report(struct agent_worker *worker, struct session_ref *ref, enum channel_report what,
    const char *error)
{
	struct report_message *m = calloc(1, sizeof *m);

	if (!m) {
		log_event(LOG_ERROR, "memory-short",
		    "memory is short: the pool has lost count of a channel");
		return;
	}
	m->message.deliver = deliver_report;
	m->on_report = worker->workers->on_report;
	m->ref = session_ref_hold(ref);
	m->report = what;
	snprintf(m->error, sizeof m->error, "%s", error ? error : "");
	loop_post(worker->workers->main_loop, &m->message);
}

/* ---- channels and flows ---- */

static void
on_flow_over(void *arg, struct agent_flow *flow)
{
	struct agent_worker *worker = arg;

	agent_flow_free(flow);
	atomic_fetch_sub(&worker->workers->flow_count, 1);
}

static void
on_channel(void *arg, struct pooled_channel *channel, enum pooled_channel_event event)
{
	struct agent_worker *worker = arg;
	struct session_ref *ref = pooled_channel_session(channel);

	switch (event) {
	case POOLED_PARKED:
		report(worker, ref, CHANNEL_REPORT_PARKED, NULL);
		break;
	case POOLED_OPENED:
		report(worker, ref, CHANNEL_REPORT_OPENED, NULL);
		if (agent_flow_new(&worker->context, channel, &worker->flows, on_flow_over, worker))
			atomic_fetch_add(&worker->workers->flow_count, 1);
		break;
	case POOLED_OVER:
		report(worker, ref, pooled_channel_is_parked(channel) ? CHANNEL_REPORT_LOST
		    : CHANNEL_REPORT_FAILED, pooled_channel_error(channel));
		pooled_channel_free(channel);
		break;
	}
}

static void
judge_flows(struct agent_worker *worker)
{
	int64_t now_s = clock_wall_s();
	struct agent_flow *flow = LIST_FIRST(&worker->flows), *next;

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

/* ref NULL: the channels of all sessions. */
static void
drop_channels(struct agent_worker *worker, const struct session_ref *ref)
{
	struct pooled_channel *channel = LIST_FIRST(&worker->channels), *next;

	for (; channel; channel = next) {
		next = pooled_channel_next(channel);
		if (!ref || pooled_channel_session(channel) == ref)
			pooled_channel_free(channel);
	}
}

/* ---- orders from the main thread ---- */

struct order_message {
	struct message message;
	struct agent_worker *worker;
	void (*carry_out)(struct agent_worker *, const struct order_message *);
	struct session_ref *ref;
	struct endpoint_table *table;
};

static void
carry_out_dial(struct agent_worker *worker, const struct order_message *order)
{
	if (worker->context.is_draining)
		return;
	if (!pooled_channel_new(worker->context.loop, worker->context.resolver, order->ref,
		&worker->channels, on_channel, worker))
		report(worker, order->ref, CHANNEL_REPORT_FAILED, "memory is short");
}

static void
carry_out_drop(struct agent_worker *worker, const struct order_message *order)
{
	drop_channels(worker, order->ref);
}

static void
carry_out_publish(struct agent_worker *worker, const struct order_message *order)
{
	endpoint_table_release(worker->context.endpoint_table);
	worker->context.endpoint_table = endpoint_table_hold(order->table);
	judge_flows(worker);
}

static void
carry_out_drain(struct agent_worker *worker, const struct order_message *order)
{
	(void)order;
	worker->context.is_draining = true;
}

static void
deliver_order(struct message *message)
{
	struct order_message *order = container_of(message, struct order_message, message);

	order->carry_out(order->worker, order);
	session_ref_release(order->ref);
	endpoint_table_release(order->table);
	free(order);
}

/* False when memory is short: the order is not given. */
static bool
give_order(struct agent_worker *worker,
    void (*carry_out)(struct agent_worker *, const struct order_message *), struct session_ref *ref,
    struct endpoint_table *table)
{
	struct order_message *order = calloc(1, sizeof *order);

	if (!order)
		return false;
	order->message.deliver = deliver_order;
	order->worker = worker;
	order->carry_out = carry_out;
	order->ref = ref ? session_ref_hold(ref) : NULL;
	order->table = table ? endpoint_table_hold(table) : NULL;
	loop_post(thread_loop(worker->thread), &order->message);
	return true;
}

static void
give_all(struct agent_workers *workers,
    void (*carry_out)(struct agent_worker *, const struct order_message *), struct session_ref *ref,
    struct endpoint_table *table)
{
	for (unsigned i = 0; i < workers->count; i++)
		if (!give_order(workers->workers[i], carry_out, ref, table))
			log_event(LOG_ERROR, "memory-short",
			    "memory is short: a worker was not told of a change");
}

unsigned
agent_workers_dial(struct agent_workers *workers, struct session_ref *ref, unsigned count)
{
	unsigned ordered = 0;

	for (unsigned i = 0; i < count; i++)
		ordered += give_order(
		    workers->workers[workers->next++ % workers->count], carry_out_dial, ref, NULL);
	return ordered;
}

void
agent_workers_drop(struct agent_workers *workers, struct session_ref *ref)
{
	give_all(workers, carry_out_drop, ref, NULL);
}

void
agent_workers_publish(struct agent_workers *workers, struct endpoint_table *table)
{
	give_all(workers, carry_out_publish, NULL, table);
}

void
agent_workers_drain(struct agent_workers *workers)
{
	give_all(workers, carry_out_drain, NULL, NULL);
}

uint64_t
agent_workers_flow_count(const struct agent_workers *workers)
{
	return atomic_load(&workers->flow_count);
}

/* ---- life ---- */

static void
run(void *arg, struct loop *loop)
{
	struct agent_worker *worker = arg;

	worker->context.loop = loop;
	timer_init(&worker->judge, loop, on_judge, worker);
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
	worker->context.endpoint_table = endpoint_table_hold(table);
	LIST_INIT(&worker->channels);
	LIST_INIT(&worker->flows);
	snprintf(name, sizeof name, "worker-%u", workers->count);
	worker->thread = thread_start(name, run, worker);
	if (worker->thread)
		return worker;
	endpoint_table_release(table);
	free(worker);
	return NULL;
}

static void
deliver_stop(struct message *message)
{
	struct agent_worker *worker = container_of(message, struct agent_worker, stop);

	worker->context.is_draining = true;
	drop_channels(worker, NULL);
	while (!LIST_EMPTY(&worker->flows))
		on_flow_over(worker, LIST_FIRST(&worker->flows));
	timer_clear(&worker->judge);
	loop_stop(worker->context.loop);
}

static void
stop(struct agent_worker *worker)
{
	worker->stop.deliver = deliver_stop;
	loop_post(thread_loop(worker->thread), &worker->stop);
	thread_join(worker->thread);
	endpoint_table_release(worker->context.endpoint_table);
	free(worker);
}

struct agent_workers *
agent_workers_new(unsigned count, struct loop *main_loop, struct resolver *resolver,
    struct endpoint_table *table,
    void (*on_report)(struct session_ref *, enum channel_report, const char *error))
{
	struct agent_workers *workers =
	    calloc(1, sizeof *workers + count * sizeof(struct agent_worker *));

	if (!workers)
		return NULL;
	workers->main_loop = main_loop;
	workers->resolver = resolver;
	workers->on_report = on_report;
	for (; workers->count < count; workers->count++) {
		workers->workers[workers->count] = start(workers, table);
		if (!workers->workers[workers->count]) {
			agent_workers_free(workers);
			return NULL;
		}
	}
	return workers;
}

void
agent_workers_free(struct agent_workers *workers)
{
	if (!workers)
		return;
	for (unsigned i = 0; i < workers->count; i++)
		stop(workers->workers[i]);
	free(workers);
}
