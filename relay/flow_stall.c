/* Flows whose peers take nothing, counted for limits.memory: see tunnel/standstill.h. */
#include "relay/flow_stall.h"

#include "base/shares.h"
#include "relay/flow_private.h"
#include "relay/shared.h"
#include "tunnel/pump.h"

static void
on_evict(void *arg)
{
	struct flow *flow = arg;
	const struct address from = flow_client(flow);

	if (!standstill_must_end(&flow->worker->shared->standstills, &flow->standstill,
		pump_stalled_ms(flow->pump), &from, flow->id))
		return;
	flow->reason = standstill_reason;
	pump_stop(flow->pump);
}

void
flow_on_held(void *arg, uint64_t own_bytes, uint64_t kernel_bytes)
{
	struct flow *flow = arg;
	const struct address from = flow_client(flow);
	const struct shares_entrant entrant = {
		.loop = flow->worker->loop, .client = &from, .on_evict = on_evict, .arg = flow
	};

	standstill_note(&flow->worker->shared->standstills, &flow->standstill, &entrant, own_bytes,
	    kernel_bytes);
}
