/*
 * A worker of the agent.
 */
#include "agent/flow_worker.h"

#include <stdio.h>
#include <stdlib.h>

#include "agent/flow.h"
#include "agent/pooled_channel.h"
#include "agent/roster.h"
#include "agent/session_ref.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/thread.h"

enum { JUDGE_EVERY_MS = 30000, REPORT_ERROR = 320 };

/* All but `thread` and `wish` is the thread's own. */
struct flow_worker {
	struct thread *thread;
	struct flow_worker_wish wish;
	struct flow_context context;
	struct pooled_channels pooled_channels;
	struct flow_list flows;
	struct timer judge;
};

/* ---- reports to the main thread ---- */

struct report {
	struct message message;
	void (*on_report)(struct session_ref *, enum flow_worker_report, const char *error);
	struct session_ref *ref;
	enum flow_worker_report kind;
	char error[REPORT_ERROR];
};

static void
deliver_report(struct message *message)
{
	struct report *report = container_of(message, struct report, message);

	report->on_report(report->ref, report->kind, report->error[0] ? report->error : NULL);
	session_ref_release(report->ref);
	free(report);
}

static void
tell(struct flow_worker *worker, struct session_ref *ref, enum flow_worker_report kind,
    const char *error)
{
	struct report *report = calloc(1, sizeof *report);

	if (!report) {
		log_event(LOG_ERROR, "memory-short",
		    "memory is short: the pool has lost count of a channel");
		return;
	}
	report->message.deliver = deliver_report;
	report->on_report = worker->wish.on_report;
	report->ref = session_ref_hold(ref);
	report->kind = kind;
	snprintf(report->error, sizeof report->error, "%s", error ? error : "");
	loop_post(worker->wish.main_loop, &report->message);
}

/* ---- channels and flows ---- */

static void
on_flow_over(void *arg, struct flow *flow)
{
	struct flow_worker *worker = arg;

	flow_free(flow);
	atomic_fetch_sub(worker->wish.flow_count, 1);
}

static void
on_pooled(void *arg, struct pooled_channel *pooled, enum pooled_channel_event event)
{
	struct flow_worker *worker = arg;

	switch (event) {
	case POOLED_PARKED:
		tell(worker, pooled_channel_session(pooled), FLOW_WORKER_PARKED, NULL);
		break;
	case POOLED_OPENED:
		tell(worker, pooled_channel_session(pooled), FLOW_WORKER_OPENED, NULL);
		if (flow_new(&worker->context, pooled, &worker->flows, on_flow_over, worker))
			atomic_fetch_add(worker->wish.flow_count, 1);
		break;
	case POOLED_OVER:
		tell(worker, pooled_channel_session(pooled),
		    pooled_channel_is_parked(pooled) ? FLOW_WORKER_LOST : FLOW_WORKER_FAILED,
		    pooled_channel_error(pooled));
		pooled_channel_free(pooled);
		break;
	}
}

static void
judge_flows(struct flow_worker *worker)
{
	int64_t now_s = clock_wall_s();
	struct flow *flow = LIST_FIRST(&worker->flows), *next;

	for (; flow; flow = next) {
		next = flow_next(flow);
		flow_judge_again(flow, now_s);
	}
}

static void
on_judge(void *arg)
{
	struct flow_worker *worker = arg;

	judge_flows(worker);
	timer_set(&worker->judge, JUDGE_EVERY_MS);
}

/* ref NULL: those of all. */
static void
drop_pooled(struct flow_worker *worker, const struct session_ref *ref)
{
	struct pooled_channel *pooled = LIST_FIRST(&worker->pooled_channels), *next;

	for (; pooled; pooled = next) {
		next = pooled_channel_next(pooled);
		if (!ref || pooled_channel_session(pooled) == ref)
			pooled_channel_free(pooled);
	}
}

/* ---- orders from the main thread ---- */

struct order {
	struct message message;
	struct flow_worker *worker;
	void (*carry_out)(struct flow_worker *, struct order *);
	struct session_ref *ref;
	struct roster *roster;
};

static void
carry_out_dial(struct flow_worker *worker, struct order *order)
{
	if (worker->context.is_draining)
		return;
	if (!pooled_channel_new(worker->context.loop, worker->context.resolver, order->ref,
		&worker->pooled_channels, on_pooled, worker))
		tell(worker, order->ref, FLOW_WORKER_FAILED, "memory is short");
}

static void
carry_out_drop(struct flow_worker *worker, struct order *order)
{
	drop_pooled(worker, order->ref);
}

static void
carry_out_publish(struct flow_worker *worker, struct order *order)
{
	roster_release(worker->context.roster);
	worker->context.roster = roster_hold(order->roster);
	judge_flows(worker);
}

static void
carry_out_drain(struct flow_worker *worker, struct order *order)
{
	(void)order;
	worker->context.is_draining = true;
}

static void
carry_out_stop(struct flow_worker *worker, struct order *order)
{
	(void)order;
	carry_out_drain(worker, order);
	drop_pooled(worker, NULL);
	while (!LIST_EMPTY(&worker->flows))
		on_flow_over(worker, LIST_FIRST(&worker->flows));
	timer_clear(&worker->judge);
	loop_stop(worker->context.loop);
}

static void
deliver_order(struct message *message)
{
	struct order *order = container_of(message, struct order, message);

	order->carry_out(order->worker, order);
	session_ref_release(order->ref);
	roster_release(order->roster);
	free(order);
}

static bool
give_order(struct flow_worker *worker, void (*carry_out)(struct flow_worker *, struct order *),
    struct session_ref *ref, struct roster *roster)
{
	struct order *order = calloc(1, sizeof *order);

	if (!order)
		return false;
	order->message.deliver = deliver_order;
	order->worker = worker;
	order->carry_out = carry_out;
	order->ref = ref ? session_ref_hold(ref) : NULL;
	order->roster = roster ? roster_hold(roster) : NULL;
	loop_post(thread_loop(worker->thread), &order->message);
	return true;
}

bool
flow_worker_dial(struct flow_worker *worker, struct session_ref *ref)
{
	return give_order(worker, carry_out_dial, ref, NULL);
}

bool
flow_worker_drop(struct flow_worker *worker, struct session_ref *ref)
{
	return give_order(worker, carry_out_drop, ref, NULL);
}

bool
flow_worker_publish(struct flow_worker *worker, struct roster *roster)
{
	return give_order(worker, carry_out_publish, NULL, roster);
}

bool
flow_worker_drain(struct flow_worker *worker)
{
	return give_order(worker, carry_out_drain, NULL, NULL);
}

/* ---- life ---- */

static void
run(void *arg, struct loop *loop)
{
	struct flow_worker *worker = arg;

	worker->context.loop = loop;
	worker->context.resolver = worker->wish.resolver;
	worker->context.roster = worker->wish.roster;
	timer_init(&worker->judge, loop, on_judge, worker);
	timer_set(&worker->judge, JUDGE_EVERY_MS);
	loop_run(loop);
}

struct flow_worker *
flow_worker_start(const char *name, const struct flow_worker_wish *wish)
{
	struct flow_worker *worker = calloc(1, sizeof *worker);

	if (!worker)
		return NULL;
	worker->wish = *wish;
	LIST_INIT(&worker->pooled_channels);
	LIST_INIT(&worker->flows);
	roster_hold(wish->roster);
	worker->thread = thread_start(name, run, worker);
	if (worker->thread)
		return worker;
	roster_release(wish->roster);
	free(worker);
	return NULL;
}

void
flow_worker_stop(struct flow_worker *worker)
{
	if (!worker)
		return;
	while (!give_order(worker, carry_out_stop, NULL, NULL))
		log_event(LOG_ERROR, "memory-short", "memory is short: cannot stop yet");
	thread_join(worker->thread);
	roster_release(worker->context.roster);
	free(worker);
}
