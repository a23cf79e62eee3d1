/* Flows whose peers take nothing, counted for limits.memory: see tunnel/standstill.h. */
#include "relay/flow_stall.h"

#include <stdlib.h>
#include "base/memory.h"
#include "base/shares.h"
#include "relay/flow_private.h"
#include "relay/shared.h"
#include "tunnel/pump.h"
#include "tunnel/standstill.h"

/* A flow has one only while it stands still. */
struct flow_stall {
	struct standstill standstill;
};

static void
on_evict(void *arg)
{
	struct flow *flow = arg;
	const struct address from = flow_client(flow);

	if (!standstill_must_end(&flow->worker->shared->standstills, &flow->stall->standstill,
		pump_stalled_ms(flow->pump), &from, flow->id))
		return;
	flow->reason = standstill_reason;
	pump_stop(flow->pump);
}

static bool
has_account(struct flow *flow)
{
	if (!flow->stall)
		flow->stall = calloc(1, sizeof *flow->stall);
	if (!flow->stall)
		memory_short("the account of a flow that stands still");
	return flow->stall;
}

void
flow_on_held(void *arg, uint64_t own_bytes, uint64_t kernel_bytes)
{
	struct flow *flow = arg;
	const struct address from = flow_client(flow);
	const struct shares_entrant entrant = {
		.loop = flow->worker->loop, .client = &from, .on_evict = on_evict, .arg = flow
	};

	if (!has_account(flow))
		return; /* it tries again in a second */
	standstill_note(&flow->worker->shared->standstills, &flow->stall->standstill, &entrant,
	    own_bytes, kernel_bytes);
	if (own_bytes == 0 && kernel_bytes == 0) {
		free(flow->stall);
		flow->stall = NULL;
	}
}
