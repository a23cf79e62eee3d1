/* Counts what becomes of flows, in the metrics of their worker. */
#include "agent/endpoint.h"
#include "agent/flow_private.h"
#include "agent/metrics.h"
#include "base/clock.h"
#include "base/name_counts.h"

static struct agent_metrics *
metrics_of(const struct agent_flow *flow)
{
	return flow->context->metrics;
}

static uint64_t
us_since(uint64_t ms)
{
	return (clock_ms() - ms) * 1000;
}

void
agent_flow_count_begun(const struct agent_flow *flow)
{
	if (metrics_of(flow))
		counter_add(&metrics_of(flow)->flows, 1);
}

void
agent_flow_count_shaken(const struct agent_flow *flow)
{
	if (metrics_of(flow))
		histogram_add(
		    &metrics_of(flow)->handshake, HISTOGRAM_SHORT, us_since(flow->opened_at_ms));
}

void
agent_flow_count_joined(const struct agent_flow *flow)
{
	if (!metrics_of(flow))
		return;
	counter_add(&metrics_of(flow)->joined, 1);
	histogram_add(&metrics_of(flow)->ready, HISTOGRAM_SHORT, us_since(flow->opened_at_ms));
}

void
agent_flow_count_closed(const struct agent_flow *flow)
{
	struct name_count more = { .flows = 1, .refused = flow->ready_ms < 0 };

	if (!metrics_of(flow))
		return;
	word_counts_add(&metrics_of(flow)->flow_ends, flow->reason ? flow->reason : "finished");
	histogram_add(&metrics_of(flow)->duration, HISTOGRAM_LONG, us_since(flow->opened_at_ms));
	if (!flow->endpoint)
		return;
	more.name = flow->endpoint->name;
	more.bytes_in = flow->pump ? pump_bytes_from_a(flow->pump) : 0;
	more.bytes_out = flow->pump ? pump_bytes_from_b(flow->pump) : 0;
	name_counts_add(metrics_of(flow)->names, &more);
}
