/* Divides the descriptors that the process may have among sessions, channels and flows. */
#include "agent/limits.h"

#include <inttypes.h>

#include "agent/settings.h"
#include "base/numbers.h"
#include "tunnel/pipes.h"

enum { RESERVE = 64, FOR_A_RELAY = 4, FOR_A_FLOW = 2, LEAST = 1 };

/* What the agent itself has. */
static uint64_t
own_of(const struct agent_settings *settings, uint64_t descriptors)
{
	uint64_t wanted = RESERVE + settings->connect_url.count * FOR_A_RELAY +
	    pipes_descriptors(agent_settings_workers(settings)) + settings->forwards.count;

	return smaller_of(wanted, descriptors / 4);
}

static uint64_t
forward_flows_asked(const struct agent_settings *settings)
{
	uint64_t asked = 0;

	for (size_t i = 0; i < settings->forwards.count; i++)
		asked += agent_settings_forward(settings, i)->flows;
	return asked;
}

/* Forwards take half of the rest at most where there are endpoints, too. */
static uint64_t
forward_flows_of(const struct agent_settings *settings, uint64_t descriptors)
{
	uint64_t left = descriptors - own_of(settings, descriptors);

	if (settings->endpoints.count > 0)
		left /= 2;
	return smaller_of(forward_flows_asked(settings), left / FOR_A_FLOW);
}

uint64_t
agent_limits_forward(const struct agent_settings *settings, uint64_t asked, uint64_t descriptors)
{
	uint64_t all = forward_flows_asked(settings);
	uint64_t there_are = forward_flows_of(settings, descriptors);

	return there_are < all ? larger_of(asked * there_are / all, LEAST) : asked;
}

/* The pools take a quarter at most, so that flows are never left without, in equal parts. */
void
agent_limits_derive(struct agent_limits *limits, const struct agent_settings *settings,
    uint64_t descriptors, uint64_t memory)
{
	uint64_t relays = settings->connect_url.count;
	uint64_t own =
	    own_of(settings, descriptors) + FOR_A_FLOW * forward_flows_of(settings, descriptors);
	uint64_t left = descriptors - own;
	uint64_t for_pools = smaller_of(descriptors / 4, left / 2);
	uint64_t pool_most =
	    smaller_of(settings->pool_most, larger_of(for_pools / larger_of(relays, 1), LEAST));
	uint64_t channels = smaller_of(relays * pool_most, left);
	uint64_t flows = (left - channels) / FOR_A_FLOW;

	if (settings->limits.flows > 0)
		flows = smaller_of(flows, settings->limits.flows);
	*limits = (struct agent_limits){
		.descriptors = descriptors,
		.reserve = own,
		.channels = channels,
		.pool_most = pool_most,
		.flows = flows > 0 ? flows : LEAST,
		.handshakes = settings->limits.handshakes,
		.memory = daemon_rows_memory(settings->limits.memory, memory),
	};
}

static void
print_forwards(const struct agent_limits *limits, const struct agent_settings *settings, FILE *out)
{
	for (size_t i = 0; i < settings->forwards.count; i++) {
		const struct forward_settings *forward = agent_settings_forward(settings, i);
		uint64_t flows =
		    agent_limits_forward(settings, forward->flows, limits->descriptors);

		if (flows == forward->flows)
			continue;
		fprintf(out, "forward %s: ", forward->name);
		daemon_rows_print_limit("flows", flows, forward->flows, out);
	}
}

void
agent_limits_print(
    const struct agent_limits *limits, const struct agent_settings *settings, FILE *out)
{
	fprintf(out,
	    "descriptors: %" PRIu64 ", of these %" PRIu64 " for the agent itself, %" PRIu64
	    " for channels\n",
	    limits->descriptors, limits->reserve, limits->channels);
	daemon_rows_print_limit("agent.pool.most", limits->pool_most, settings->pool_most, out);
	daemon_rows_print_limit("limits.flows", limits->flows, settings->limits.flows, out);
	fprintf(out, "limits.handshakes: %" PRIu64 "\n", limits->handshakes);
	daemon_rows_print_memory("limits.memory", limits->memory, out);
	print_forwards(limits, settings, out);
}
