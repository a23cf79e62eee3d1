/* Counts what flows that stand still hold, and ends those that base/shares chooses. */
#include "relay/flow_stall.h"

#include <stdatomic.h>
#include "base/log.h"
#include "base/memory.h"
#include "base/shares.h"
#include "relay/flow_private.h"
#include "relay/shared.h"
#include "tunnel/pump.h"

static void
forget(struct flow *flow)
{
	shares_leave(flow->stalled);
	atomic_fetch_sub(&flow->worker->shared->stalled_own, flow->stalled_own);
	flow->stalled = NULL;
	flow->stalled_bytes = flow->stalled_own = 0;
}

static void
on_evict(void *arg)
{
	struct flow *flow = arg;
	uint64_t waited_ms = pump_stalled_ms(flow->pump), bytes = flow->stalled_bytes;
	const struct address from = flow_client(flow);

	forget(flow);
	if (waited_ms < STALLS_LOOK_MS)
		return; /* it enters again, behind the others, should it stop moving */
	log_limited(LOG_WARNING, "memory-pressure", &from,
	    "three quarters of limits.memory are used: of the clients with most flows that take "
	    "nothing, the one that has waited longest is reset",
	    log_hex("flow", flow->id, sizeof flow->id), log_u64("bytes", bytes),
	    log_u64("stalled_ms", waited_ms));
	flow->reason = "stalled-memory";
	pump_stop(flow->pump);
}

static bool
enter(struct flow *flow)
{
	const struct address from = flow_client(flow);
	const struct shares_entrant entrant = {
		.loop = flow->worker->loop, .client = &from, .on_evict = on_evict, .arg = flow
	};
	enum shares_verdict verdict;

	flow->stalled = shares_enter(flow->worker->shared->stalled, &entrant, &verdict);
	if (!flow->stalled)
		memory_short("the account of a flow that stands still");
	return flow->stalled;
}

/* A place that does not grow is told, too: it is how a bound that has become lower is obeyed. */
void
flow_on_held(void *arg, uint64_t own_bytes, uint64_t kernel_bytes)
{
	struct flow *flow = arg;
	uint64_t bytes = own_bytes + kernel_bytes;
	uint64_t more = bytes > flow->stalled_bytes ? bytes - flow->stalled_bytes : 0;

	if (bytes == 0) {
		forget(flow);
	} else if (flow->stalled || enter(flow)) {
		atomic_fetch_add(&flow->worker->shared->stalled_own, own_bytes - flow->stalled_own);
		flow->stalled_own = own_bytes;
		flow->stalled_bytes += more;
		shares_grow(flow->stalled, more);
	}
}

void
flow_stall_set_bound(struct shared *shared, uint64_t memory)
{
	uint64_t most = memory - memory / 4, used;

	if (memory > 0 && shares_count(shared->stalled) == 0)
		return; /* counting costs, and there is nobody to be ended */
	used = memory > 0 ? memory_used() - atomic_load(&shared->stalled_own) : 0;
	shares_set_bounds(shared->stalled,
	    &(struct shares_bounds){ .most_bytes = memory == 0 ? 0
		    : most > used                              ? most - used
							       : 1 });
}
