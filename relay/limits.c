/* Shares descriptors and memory out, by arithmetic alone: whoever loads the rules asks the system. */
#include "relay/limits.h"

#include <inttypes.h>
#include "base/numbers.h"
#include "relay/settings.h"
#include "tunnel/pipes.h"

enum {
	/* Log, state, admin socket and those who ask, files that are read, attempts to connect that race. */
	OWN = 64,
	OWN_OF_WORKER = 8,    /* epoll, eventfd, a listener's reserve, a resolver's sockets */
	LEAST_HANDSHAKES = 2, /* of known peers, and of unknown ones */
	LEAST = 4, /* of clients, and of agents: a relay that was given hardly anything works */
};

static void
share_descriptors(struct limits *limits, const struct settings *settings, uint64_t descriptors)
{
	uint64_t workers = settings_worker_count(settings),
		 asked = settings->limits.agent_descriptors;
	uint64_t own, left;

	limits->descriptors = descriptors;
	own = OWN + pipes_descriptors(workers) +
	    workers * (OWN_OF_WORKER + 2 * settings->listeners.count);
	if (settings->connect_name)
		limits->handshakes = smaller_of(settings->limits.handshakes,
		    larger_of(difference(descriptors / 2, own), LEAST_HANDSHAKES));
	limits->peer_handshakes = limits->handshakes / 2;
	limits->reserve = smaller_of(own + limits->handshakes, descriptors / 2);
	left = descriptors - limits->reserve;
	if (settings->connect_name)
		limits->agent_descriptors = smaller_of(
		    larger_of(asked > 0 ? asked : left / 4, LEAST), difference(left, LEAST));
	limits->client_descriptors = left - limits->agent_descriptors;
	limits->kept_from = difference(descriptors, limits->handshakes);
}

/* None of these may be 0, which would be no bound for those who count. */
static void
share_agents_part(struct limits *limits, const struct settings *settings)
{
	const struct settings_limits *asked = &settings->limits;
	uint64_t left = limits->agent_descriptors;

	if (left == 0)
		return;
	limits->agent_hello_memory = asked->hello_memory / 4;
	limits->agent_hellos = smaller_of(asked->channel_handshakes, larger_of(left / 8, 1));
	limits->channel_handshakes = limits->agent_hellos;
	left -= 2 * limits->agent_hellos;
	limits->sessions = smaller_of(asked->sessions, left / 2);
	limits->channels = smaller_of(asked->channels, left - limits->sessions);
}

static void
share_clients_part(struct limits *limits, const struct settings *settings)
{
	limits->hellos = smaller_of(settings->limits.hellos, limits->client_descriptors / 4);
	limits->hello_memory = settings->limits.hello_memory;
	limits->lingers = 1 + limits->hellos / 4;
	limits->flows = smaller_of(settings->limits.flows,
	    difference(limits->client_descriptors, limits->hellos + limits->lingers) / 2);
}

void
limits_derive(
    struct limits *limits, const struct settings *settings, uint64_t descriptors, uint64_t memory)
{
	*limits = (struct limits){ 0 };
	share_descriptors(limits, settings, descriptors);
	share_agents_part(limits, settings);
	share_clients_part(limits, settings);
	limits->memory = daemon_rows_memory(settings->limits.memory, memory);
}

static void
print_wall(FILE *out, const char *key, uint64_t most)
{
	if (most > 0)
		fprintf(out, "limits.%s: %" PRIu64 "\n", key, most);
	else
		fprintf(out, "limits.%s: off\n", key);
}

static void
print_agents(const struct limits *limits, const struct settings_limits *asked, FILE *out)
{
	daemon_rows_print_limit("limits.sessions", limits->sessions, asked->sessions, out);
	daemon_rows_print_limit("limits.handshakes", limits->handshakes, asked->handshakes, out);
	fprintf(out, "handshakes of known peers: %" PRIu64 ", of unknown ones as many\n",
	    limits->peer_handshakes);
	daemon_rows_print_limit("limits.channels", limits->channels, asked->channels, out);
	daemon_rows_print_limit("limits.channel_handshakes", limits->channel_handshakes,
	    asked->channel_handshakes, out);
	fprintf(out, "hellos from where agents are: %" PRIu64 "\n", limits->agent_hellos);
	daemon_rows_print_memory(
	    "memory of hellos from where agents are", limits->agent_hello_memory, out);
}

void
limits_print(const struct limits *limits, const struct settings *settings, FILE *out)
{
	const struct settings_limits *asked = &settings->limits;

	fprintf(out,
	    "descriptors: %" PRIu64 ", of these %" PRIu64 " for agents, %" PRIu64
	    " for clients, %" PRIu64 " for the relay itself\n",
	    limits->descriptors, limits->agent_descriptors, limits->client_descriptors,
	    limits->reserve);
	daemon_rows_print_limit("limits.flows", limits->flows, asked->flows, out);
	print_wall(out, "flows_per_client", asked->flows_per_client);
	daemon_rows_print_limit("limits.hellos", limits->hellos, asked->hellos, out);
	print_wall(out, "hellos_per_client", asked->hellos_per_client);
	daemon_rows_print_memory("limits.hello_memory", limits->hello_memory, out);
	fprintf(out, "lingering refusals: %" PRIu64 "\n", limits->lingers);
	if (settings->connect_name)
		print_agents(limits, asked, out);
	daemon_rows_print_memory("limits.memory", limits->memory, out);
}
