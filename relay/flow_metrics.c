/* Counts what becomes of flows, in the metrics of their worker. */
#include "relay/flow_metrics.h"

#include "base/clock.h"
#include "base/name_counts.h"
#include "relay/flow_private.h"
#include "relay/shared.h"

static struct relay_metrics *
metrics_of(const struct flow *flow)
{
	return &flow->worker->metrics;
}

void
flow_metrics_move(const struct flow *flow, int to)
{
	if (to == FLOW_TAKING)
		counter_add(&metrics_of(flow)->taking, 1);
	if (flow->state == FLOW_TAKING)
		counter_add(&metrics_of(flow)->taking, UINT64_MAX);
}

void
flow_metrics_has_channel(const struct flow *flow)
{
	histogram_add(&metrics_of(flow)->channel_wait, HISTOGRAM_SHORT,
	    (clock_ms() - flow->way->waits_from_ms) * 1000);
}

void
flow_metrics_joined(const struct flow *flow)
{
	enum relay_way way = flow->static_route ? RELAY_WAY_STATIC
	    : flow->is_handoff                  ? RELAY_WAY_HANDOFF
						: RELAY_WAY_SEALED;

	counter_add(&metrics_of(flow)->joined[way], 1);
	histogram_add(&metrics_of(flow)->ready, HISTOGRAM_SHORT, clock_us() - flow->accepted_us);
}

/* What no route has would be names that strangers make up. */
static void
count_for_route(const struct flow *flow, bool is_refused)
{
	const char *route = flow_route(flow);
	const struct name_count more = {
		.name = route,
		.flows = 1,
		.refused = is_refused,
		.bytes_in = is_refused ? 0 : flow_bytes_in(flow),
		.bytes_out = flow_bytes_out(flow),
	};

	if (route && route[0] != '\0')
		name_counts_add(flow->worker->shared->name_counts, &more);
}

void
flow_metrics_closed(const struct flow *flow, const char *reason)
{
	word_counts_add(&metrics_of(flow)->flow_ends, reason);
	histogram_add(&metrics_of(flow)->duration, HISTOGRAM_LONG, clock_us() - flow->accepted_us);
	count_for_route(flow, false);
}

void
flow_metrics_refused(const struct flow *flow, enum refusal reason)
{
	counter_add(&metrics_of(flow)->refused[reason], 1);
	word_counts_add(&metrics_of(flow)->flow_ends, refuse_word(reason));
	count_for_route(flow, true);
}
