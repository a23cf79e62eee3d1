/* Weighs what has come before a flow is joined. */
#include "relay/flow_hello.h"

#include "base/numbers.h"
#include "base/shares.h"
#include "base/socket.h"
#include "relay/flow_private.h"
#include "relay/shared.h"

static void
on_evict(void *arg)
{
	flow_refuse_because(arg, REFUSE_OVER_LIMIT,
	    "limits.hello_memory is reached, and most of it is what has come from here");
}

static bool
enter(struct flow *flow)
{
	const struct address from = flow_client(flow);
	struct shares_entrant entrant = { flow->worker->loop, &from, 0, on_evict, flow };
	enum shares_verdict verdict;

	flow->way->hello_place =
	    shares_enter(flow->worker->shared->hello_bytes, &entrant, &verdict);
	return flow->way->hello_place;
}

bool
flow_hello_weigh(struct flow *flow, bool is_full)
{
	const struct conn *conn = &flow->way->conn;
	uint64_t bytes = conn->capacity + (is_full ? socket_receive_most(conn->fd) : 0);

	if (bytes <= FLOW_HELLO_FREE_BYTES)
		return true;
	if (!flow->way->hello_place && !enter(flow))
		return false;
	shares_weigh(flow->way->hello_place, (uint32_t)units_for(bytes, SHARED_UNIT_BYTES));
	return true;
}

void
flow_hello_leave(struct flow *flow)
{
	shares_leave(flow->way->hello_place);
	flow->way->hello_place = NULL;
}
