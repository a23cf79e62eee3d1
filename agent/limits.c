/* Divides the descriptors that the process may have among sessions, channels and flows. */
#include "agent/limits.h"

#include <inttypes.h>

#include "agent/settings.h"
#include "base/numbers.h"
#include "tunnel/pipes.h"

enum { RESERVE = 64, FOR_A_RELAY = 4, FOR_A_FLOW = 2, LEAST = 1 };

/* What the agent itself has, and its forwards. */
static uint64_t
reserve_of(const struct agent_settings *settings)
{
	uint64_t forwarded = 0;

	for (size_t i = 0; i < settings->forwards.count; i++)
		forwarded += 1 + agent_settings_forward(settings, i)->flows * FOR_A_FLOW;
	return RESERVE + settings->connect_url.count * FOR_A_RELAY +
	    pipes_descriptors(agent_settings_workers(settings)) + forwarded;
}

/* The pools take a quarter at most, so that flows are never left without, in equal parts. */
void
agent_limits_derive(struct agent_limits *limits, const struct agent_settings *settings,
    uint64_t descriptors, uint64_t memory)
{
	uint64_t relays = settings->connect_url.count;
	uint64_t own = smaller_of(reserve_of(settings), descriptors / 4);
	uint64_t pool_most = smaller_of(
	    settings->pool_most, larger_of(descriptors / 4 / larger_of(relays, 1), LEAST));
	uint64_t channels = smaller_of(relays * pool_most, descriptors - own);
	uint64_t flows = (descriptors - own - channels) / FOR_A_FLOW;

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
}
