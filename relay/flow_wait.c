/*
 * Keeps flows whose agent is away for a moment, and looks their names up again.
 *
 * The worker compares how much has ever been announced with what it was before
 * each flow's last look-up.  A flow that looks in vain goes to the end of the
 * list, so the first one's look-up is always the oldest: when that one has
 * nothing to look for, nobody has.  When a drain has begun everybody looks once
 * more, and whoever looks in vain is refused.  Where another process takes over it may have the agent, so
 * everybody looks, and is passed on to it.
 */
#include "relay/flow_wait.h"

#include <stdio.h>
#include "base/clock.h"
#include "base/shares.h"
#include "relay/flow_private.h"
#include "relay/handover.h"
#include "relay/name_flows.h"
#include "relay/pending.h"
#include "relay/shared.h"

static const char too_many_wait[] =
    "its agent is away, and too many clients wait for theirs, from this one's network as many as from any";

void
flow_wait_leave(struct flow *flow)
{
	struct worker_context *worker = flow->worker;

	if (flow->state != FLOW_WAITING)
		return;
	TAILQ_REMOVE(&worker->waiting, flow, way->waiting);
	timer_clear(&flow->way->attempt);
	if (TAILQ_EMPTY(&worker->waiting))
		timer_clear(&worker->look);
}

/* Neither of the two ever becomes less. */
uint64_t
flow_wait_arrivals(const struct worker_context *worker)
{
	const struct shared *shared = worker->shared;

	return route_arrivals(shared->routes) + pendings_changes(shared->pendings);
}

/* The flow whose look-up is to be repeated, if any. */
static struct flow *
first_to_look(struct worker_context *worker)
{
	struct flow *flow = TAILQ_FIRST(&worker->waiting);

	if (!flow || worker->draining || handover_is_on(worker->shared->handover))
		return flow;
	return flow->way->arrivals != flow_wait_arrivals(worker) ? flow : NULL;
}

static void
on_look(void *arg)
{
	struct worker_context *worker = arg;
	struct flow *flow;

	for (int i = 0; i < WAIT_LOOKS_MOST && (flow = first_to_look(worker)); i++) {
		flow_wait_leave(flow);
		flow_move(flow, FLOW_LOOKING);
		flow_look_up(flow);
	}
	if (!TAILQ_EMPTY(&worker->waiting))
		timer_set(&worker->look, WAIT_LOOK_MS);
}

static void
on_waited(void *arg)
{
	struct flow *flow = arg;

	snprintf(flow->way->trouble, sizeof flow->way->trouble,
	    "its agent is away, and did not come back within %d s", WAIT_MS / 1000);
	flow_refuse(flow, REFUSE_NO_AGENT);
}

/* ---- who may wait ---- */

static void
on_displaced(void *arg)
{
	flow_refuse_because(arg, REFUSE_NO_AGENT, too_many_wait);
}

static bool
enter_name(struct flow *flow)
{
	struct flow_way *way = flow->way;
	const char *name = way->route[0] != '\0' ? way->route : flow_server_name(flow);
	const char *unused;

	way->wait_name =
	    name_flows_enter(flow->worker->shared->wait_names, name, WAITS_A_NAME, &unused);
	if (!way->wait_name)
		snprintf(way->trouble, sizeof way->trouble,
		    "its agent is away, and %d clients wait for it already, or memory is short",
		    WAITS_A_NAME);
	return way->wait_name;
}

static bool
enter_block(struct flow *flow)
{
	struct flow_way *way = flow->way;
	const struct address from = flow_client(flow);
	struct shares_entrant entrant = { flow->worker->loop, &from, 0, on_displaced, flow };
	enum shares_verdict verdict;

	way->wait_place = shares_enter(flow->worker->shared->waits, &entrant, &verdict);
	if (verdict == SHARES_CLIENT_FULL)
		snprintf(way->trouble, sizeof way->trouble,
		    "its agent is away, and %d of this client's block wait for theirs already",
		    WAITS_A_CLIENT);
	else if (!way->wait_place)
		snprintf(way->trouble, sizeof way->trouble, "%s",
		    verdict == SHARES_FULL ? too_many_wait
					   : "its agent is away, and memory is short");
	return way->wait_place;
}

void
flow_wait_end(struct flow *flow)
{
	struct flow_way *way = flow->way;

	shares_leave(way->wait_place);
	name_flows_leave(flow->worker->shared->wait_names, way->wait_name);
	way->wait_place = NULL;
	way->wait_name = NULL;
}

/* Whoever has looked in vain has a place already. */
static bool
enter(struct flow *flow)
{
	return flow->way->wait_place || (enter_name(flow) && enter_block(flow));
}

/* ---- waiting ---- */

void
flow_wait_init(struct worker_context *worker)
{
	TAILQ_INIT(&worker->waiting);
	timer_init(&worker->look, worker->loop, on_look, worker);
}

bool
flow_wait(struct flow *flow)
{
	struct worker_context *worker = flow->worker;
	uint64_t now = clock_ms();

	if (flow->way->wait_until_ms == 0)
		flow->way->wait_until_ms = now + WAIT_MS;
	if (worker->draining)
		snprintf(flow->way->trouble, sizeof flow->way->trouble,
		    "its agent is away, and a relay that drains does not wait for it");
	if (worker->draining || now >= flow->way->wait_until_ms || !enter(flow))
		return false;
	flow_move(flow, FLOW_WAITING);
	TAILQ_INSERT_TAIL(&worker->waiting, flow, way->waiting);
	timer_init(&flow->way->attempt, worker->loop, on_waited, flow);
	timer_set(&flow->way->attempt, flow->way->wait_until_ms - now);
	if (!worker->look.armed)
		timer_set(&worker->look, WAIT_LOOK_MS);
	return true;
}
