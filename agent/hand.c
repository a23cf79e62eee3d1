/*
 * A worker of the agent.
 */
#include "agent/hand.h"

#include <stdio.h>
#include <stdlib.h>

#include "agent/berth.h"
#include "agent/flow.h"
#include "agent/leg.h"
#include "agent/roster.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/worker.h"

enum { JUDGE_EVERY_MS = 30000, REPORT_ERROR = 320 };

/* All but `worker` and `wish` is the thread's own. */
struct hand {
	struct worker *worker;
	struct hand_wish wish;
	struct flow_place place;
	struct berth_list berths;
	struct flow_list flows;
	struct timer judge;
};

/* ---- reports to the main thread ---- */

struct report {
	struct message message;
	void (*on_report)(struct leg *, enum hand_report, const char *error);
	struct leg *leg;
	enum hand_report kind;
	char error[REPORT_ERROR];
};

static void
deliver_report(struct message *message)
{
	struct report *report = container_of(message, struct report, message);

	report->on_report(report->leg, report->kind, report->error[0] ? report->error : NULL);
	leg_release(report->leg);
	free(report);
}

static void
tell(struct hand *hand, struct leg *leg, enum hand_report kind, const char *error)
{
	struct report *report = calloc(1, sizeof *report);

	if (!report) {
		log_event(LOG_ERROR, "memory-short", "memory is short: the pool has lost count of a channel");
		return;
	}
	report->message.deliver = deliver_report;
	report->on_report = hand->wish.on_report;
	report->leg = leg_hold(leg);
	report->kind = kind;
	snprintf(report->error, sizeof report->error, "%s", error ? error : "");
	loop_post(hand->wish.main_loop, &report->message);
}

/* ---- channels and flows ---- */

static void
on_flow_over(void *arg, struct flow *flow)
{
	struct hand *hand = arg;

	flow_free(flow);
	atomic_fetch_sub(hand->wish.flow_count, 1);
}

static void
on_berth(void *arg, struct berth *berth, enum berth_event event)
{
	struct hand *hand = arg;

	switch (event) {
	case BERTH_PARKED:
		tell(hand, berth_leg(berth), HAND_PARKED, NULL);
		break;
	case BERTH_OPENED:
		tell(hand, berth_leg(berth), HAND_OPENED, NULL);
		if (flow_new(&hand->place, berth, &hand->flows, on_flow_over, hand))
			atomic_fetch_add(hand->wish.flow_count, 1);
		break;
	case BERTH_OVER:
		tell(hand, berth_leg(berth), berth_is_parked(berth) ? HAND_LOST : HAND_FAILED,
		    berth_error(berth));
		berth_free(berth);
		break;
	}
}

static void
judge_flows(struct hand *hand)
{
	int64_t now_s = clock_wall_s();
	struct flow *flow = LIST_FIRST(&hand->flows), *next;

	for (; flow; flow = next) {
		next = flow_next(flow);
		flow_judge_again(flow, now_s);
	}
}

static void
on_judge(void *arg)
{
	struct hand *hand = arg;

	judge_flows(hand);
	timer_set(&hand->judge, JUDGE_EVERY_MS);
}

/* leg NULL: those of all. */
static void
drop_berths(struct hand *hand, const struct leg *leg)
{
	struct berth *berth = LIST_FIRST(&hand->berths), *next;

	for (; berth; berth = next) {
		next = berth_next(berth);
		if (!leg || berth_leg(berth) == leg)
			berth_free(berth);
	}
}

/* ---- orders from the main thread ---- */

struct order {
	struct message message;
	struct hand *hand;
	void (*carry_out)(struct hand *, struct order *);
	struct leg *leg;
	struct roster *roster;
};

static void
carry_out_dial(struct hand *hand, struct order *order)
{
	if (hand->place.is_draining)
		return;
	if (!berth_new(hand->place.loop, hand->place.resolver, order->leg, &hand->berths, on_berth, hand))
		tell(hand, order->leg, HAND_FAILED, "memory is short");
}

static void
carry_out_drop(struct hand *hand, struct order *order)
{
	drop_berths(hand, order->leg);
}

static void
carry_out_publish(struct hand *hand, struct order *order)
{
	roster_release(hand->place.roster);
	hand->place.roster = roster_hold(order->roster);
	judge_flows(hand);
}

static void
carry_out_drain(struct hand *hand, struct order *order)
{
	(void)order;
	hand->place.is_draining = true;
}

static void
carry_out_stop(struct hand *hand, struct order *order)
{
	(void)order;
	carry_out_drain(hand, order);
	drop_berths(hand, NULL);
	while (!LIST_EMPTY(&hand->flows))
		on_flow_over(hand, LIST_FIRST(&hand->flows));
	timer_clear(&hand->judge);
	loop_stop(hand->place.loop);
}

static void
deliver_order(struct message *message)
{
	struct order *order = container_of(message, struct order, message);

	order->carry_out(order->hand, order);
	leg_release(order->leg);
	roster_release(order->roster);
	free(order);
}

static bool
give_order(struct hand *hand, void (*carry_out)(struct hand *, struct order *), struct leg *leg,
    struct roster *roster)
{
	struct order *order = calloc(1, sizeof *order);

	if (!order)
		return false;
	order->message.deliver = deliver_order;
	order->hand = hand;
	order->carry_out = carry_out;
	order->leg = leg ? leg_hold(leg) : NULL;
	order->roster = roster ? roster_hold(roster) : NULL;
	loop_post(worker_loop(hand->worker), &order->message);
	return true;
}

bool
hand_dial(struct hand *hand, struct leg *leg)
{
	return give_order(hand, carry_out_dial, leg, NULL);
}

bool
hand_drop(struct hand *hand, struct leg *leg)
{
	return give_order(hand, carry_out_drop, leg, NULL);
}

bool
hand_publish(struct hand *hand, struct roster *roster)
{
	return give_order(hand, carry_out_publish, NULL, roster);
}

bool
hand_drain(struct hand *hand)
{
	return give_order(hand, carry_out_drain, NULL, NULL);
}

/* ---- life ---- */

static void
run(void *arg, struct loop *loop)
{
	struct hand *hand = arg;

	hand->place.loop = loop;
	hand->place.resolver = hand->wish.resolver;
	hand->place.roster = hand->wish.roster;
	timer_init(&hand->judge, loop, on_judge, hand);
	timer_set(&hand->judge, JUDGE_EVERY_MS);
	loop_run(loop);
}

struct hand *
hand_start(const char *name, const struct hand_wish *wish)
{
	struct hand *hand = calloc(1, sizeof *hand);

	if (!hand)
		return NULL;
	hand->wish = *wish;
	LIST_INIT(&hand->berths);
	LIST_INIT(&hand->flows);
	roster_hold(wish->roster);
	hand->worker = worker_start(name, run, hand);
	if (hand->worker)
		return hand;
	roster_release(wish->roster);
	free(hand);
	return NULL;
}

void
hand_stop(struct hand *hand)
{
	if (!hand)
		return;
	while (!give_order(hand, carry_out_stop, NULL, NULL))
		log_event(LOG_ERROR, "memory-short", "memory is short: cannot stop yet");
	worker_join(hand->worker);
	roster_release(hand->place.roster);
	free(hand);
}
