/* Up, down, and what lies between. */
#include "daemons.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "agent/challenge.h"
#include "agent/relay_session.h"
#include "base/name_counts.h"
#include "base/loop.h"
#include "base/rate.h"
#include "base/shares.h"
#include "people.h"
#include "relay/agent_channel.h"
#include "relay/agent_session.h"
#include "relay/flow.h"
#include "relay/flow_stall.h"
#include "relay/flow_wait.h"
#include "relay/intake.h"
#include "relay/name_flows.h"
#include "relay/pending.h"
#include "relay/recent_peers.h"
#include "relay/resumption.h"
#include "relay/route.h"
#include "relay/session_table.h"
#include "relay/session_lines.h"
#include "relay/usage.h"
#include "tunnel/pump.h"
#include "memory.h"
#include "world.h"

const char *const relay_target[RELAYS] = { "relay0.sim:443", "relay1.sim:443" };

struct sim_relay relays[RELAYS];
struct sim_agent agents[AGENTS];

static struct settings relay_settings;
static struct tls_config *session_tls;
static int rules_held;

/* agent0 and agent1 are two hosts of one identity. */
const char *
world_identity_of(uint8_t process)
{
	return process == GUEST_PROCESS ? "gamma" : process == FIRST_AGENT + 2 ? "beta" : "alpha";
}

void
world_count_rules(int change)
{
	rules_held += change;
}

struct tls_config *
world_session_tls(void)
{
	return session_tls;
}

/* ---- relays ---- */

static void
on_shrank(struct worker_context *worker)
{
	(void)worker;
}

static void
on_linger_end(void *arg)
{
	(void)arg;
}

static void
on_relay_accept(void *arg, int fd, const struct address *peer)
{
	struct sim_relay *relay = arg;
	struct worker_context *worker = &relay->workers[sim_below(WORKERS)];

	people_accepted(peer, relay->process, relay->epoch);
	intake_start(worker, fd, peer, false, false, NULL);
}

static void
fill_rules(struct sim_relay *relay)
{
	const struct route_static_settings route = { .pattern = "static.sim", .target = "up:80", .connect_ms = 5000 };
	const struct tls_settings channel = { .purpose = TLS_CHANNEL_RELAY,
		.find_key = session_table_find_key,
		.find_key_arg = relay->shared.session_table };

	relay->rules.settings = relay_settings;
	relay->rules.settings.connect_pattern[5] = (char)('0' + relay->process);
	limits_derive(&relay->rules.limits, &relay->rules.settings, 65536, UINT64_MAX);
	relay->rules.channel_tls = tls_config_new(&channel, NULL);
	relay->statics[0] = route_static_new(&route);
	relay->rules.static_route = relay->statics;
	relay->rules.static_count = 1;
}

/* Without bounds what is in it decides nothing, so that all relays may have the same one. */
static struct rate_table *
unbounded_rates(void)
{
	static struct rate_table *rates;

	if (!rates)
		rates = rate_table_new();
	return rates;
}

static void
keep_name(void *arg, const struct route_name *from)
{
	struct sim_names *names = arg;
	struct sim_name *to = &names->at[names->count];

	if (names->count == sizeof names->at / sizeof names->at[0])
		return;
	names->count++;
	snprintf(to->name, sizeof to->name, "%s", from->name);
	memcpy(to->identity, from->identity_key, sizeof to->identity);
	memcpy(to->tenant, from->tenant_key, sizeof to->tenant);
}

static void
know_names(struct sim_relay *relay)
{
	for (unsigned i = 0; i < relay->names.count; i++) {
		const struct sim_name *kept = &relay->names.at[i];

		route_names_remember(relay->shared.routes,
		    &(struct route_name){ kept->name, kept->identity, kept->tenant });
	}
	relay->names.count = 0;
}

void
relay_up(struct sim_relay *relay)
{
	const struct shares_bounds bounds = { 4096, 64 }, flows = { 1000, 1000 };
	struct shared *shared = &relay->shared;
	struct shares **queues[] = { &shared->hellos, &shared->hello_bytes, &shared->agent_hellos,
		&shared->agent_hello_bytes, &shared->unknown_peers, &shared->known_peers,
		&shared->channels, &shared->lingers };

	sim_self = relay->process;
	sim_processes[sim_self].alive = true;
	memset(shared, 0, sizeof *shared);
	shared->usage_table = usage_table_new();
	shared->session_lines = session_lines_new();
	shared->routes = route_table_new();
	shared->rates = unbounded_rates();
	shared->name_flows = name_flows_new();
	shared->name_counts = name_counts_new();
	shared->pendings = pendings_new();
	shared->resumptions = resumptions_new();
	resumptions_set_bound(shared->resumptions, RESUMPTION_BYTES);
	shared->flows = shares_new(SHARES_NEWEST);
	shares_set_bounds(shared->flows, &flows);
	shared->waits = shares_new(SHARES_NEWEST);
	shares_set_bounds(shared->waits, &(struct shares_bounds){ WAITS_MOST, WAITS_A_CLIENT });
	shared->wait_names = name_flows_new();
	shared->recent_peers = recent_peers_new();
	standstills_init(&shared->standstills);
	for (unsigned i = 0; i < sizeof queues / sizeof queues[0]; i++) {
		*queues[i] = shares_new(SHARES_OLDEST);
		shares_set_bounds(*queues[i], &bounds);
	}
	shared->session_table = session_table_new();
	flow_ids_init(&shared->flow_ids);
	fill_rules(relay);
	route_set_static(shared->routes, relay->rules.settings.connect_pattern, relay->statics, 1);
	know_names(relay);
	for (int i = 0; i < WORKERS; i++) {
		struct worker_context *worker = &relay->workers[i];

		*worker = (struct worker_context){ .shared = shared,
			.loop = loop_new(),
			.rules = &relay->rules,
			.on_shrank = on_shrank };
		refuse_lingers_init(
		    &worker->lingers, worker->loop, shared->lingers, on_linger_end, worker);
		pump_stalls_init(&worker->stalls, worker->loop, flow_on_held);
		flow_wait_init(worker);
	}
	relay->is_up = true;
	relay->is_draining = false;
	kernel_listen(relay_target[relay->process], relay->process, on_relay_accept, relay);
	sim_tell("%s is up", sim_processes[sim_self].name);
}

/* As a worker lets go of what it has, and as relay.c tears down. */
void
relay_down(struct sim_relay *relay)
{
	struct shared *shared = &relay->shared;

	sim_self = relay->process;
	kernel_listen(relay_target[relay->process], relay->process, NULL, NULL);
	route_names_each(shared->routes, keep_name, &relay->names);
	for (int i = 0; i < WORKERS; i++) {
		struct worker_context *worker = &relay->workers[i];

		intake_cut_all(worker);
		flow_cut_all(worker, "relay-stopped");
		stalls_wipe(&worker->stalls);
		refuse_cut_all(&worker->lingers);
		agent_session_cut_all(worker);
		agent_channel_cut_all(worker);
	}
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < WORKERS; i++)
			loop_settle(relay->workers[i].loop);
	for (int i = 0; i < WORKERS; i++)
		loop_free(relay->workers[i].loop);
	shares_free(shared->lingers);
	shares_free(shared->channels);
	shares_free(shared->agent_hello_bytes);
	shares_free(shared->agent_hellos);
	shares_free(shared->hello_bytes);
	shares_free(shared->known_peers);
	shares_free(shared->unknown_peers);
	shares_free(shared->hellos);
	recent_peers_free(shared->recent_peers);
	pendings_free(shared->pendings);
	resumptions_free(shared->resumptions);
	name_flows_free(shared->name_flows);
	name_counts_free(shared->name_counts);
	name_flows_free(shared->wait_names);
	shares_free(shared->waits);
	standstills_wipe(&shared->standstills);
	shares_free(shared->flows);
	route_table_free(shared->routes);
	session_table_free(shared->session_table);
	session_lines_free(shared->session_lines);
	usage_table_free(shared->usage_table);
	flow_ids_wipe(&shared->flow_ids);
	tls_config_release(relay->rules.channel_tls);
	route_static_release(relay->statics[0]);
	if (kernel_open_count(relay->process) > 0)
		sim_violated(
		    "%s is down and has open descriptors", sim_processes[relay->process].name);
	relay->is_up = false;
	relay->epoch++;
	sim_processes[relay->process].alive = false;
	sim_tell("%s is down", sim_processes[relay->process].name);
}

void
relay_drain(struct sim_relay *relay, uint64_t ms)
{
	sim_self = relay->process;
	relay->is_draining = true;
	kernel_listen(relay_target[relay->process], relay->process, NULL, NULL);
	for (int i = 0; i < WORKERS; i++) {
		relay->workers[i].draining = true;
		agent_session_drain_all(&relay->workers[i], ms);
	}
}

void
relay_have_agents_move(struct sim_relay *relay, uint64_t spread_ms)
{
	sim_self = relay->process;
	for (int i = 0; i < WORKERS; i++)
		agent_session_move_all(&relay->workers[i], spread_ms);
}

/* ---- agents ---- */

static void
on_link(void *arg, enum relay_event event)
{
	(void)arg;
	(void)event;
}

/* Of the two agents of a name one may refuse all clients, which the other one lets in. */
static struct address_rules *
some_addresses(const struct sim_agent *agent)
{
	bool may_refuse = agent->process == FIRST_AGENT + 1;
	struct prefix allow;

	if (sim_one_in(2) || world_has_drains_only())
		return NULL;
	prefix_parse(&allow, may_refuse && sim_one_in(2) ? "192.0.2.0/24" : "10.0.0.0/8");
	return address_rules_new((struct address_list){ &allow, 1 }, (struct address_list){ 0 });
}

/* One target, which nobody checks. */
static void
add_upstream(struct sim_agent *agent, size_t index)
{
	struct upstream *upstream = &agent->endpoints[index].upstream;
	char *text = agent->targets[index].url.target;

	snprintf(text, sizeof agent->targets[index].url.target, "up:80");
	memory_hold();
	upstream->group = upstream_group_new(
	    agent->endpoints[index].name, &text, 1, &(struct health_settings){ 0 });
	memory_let_go();
	upstream->targets = &agent->targets[index];
	upstream->connect_ms = 4000;
}

static void
add_endpoint(struct sim_agent *agent, size_t index, uint32_t number, const char *name)
{
	struct endpoint *endpoint = &agent->endpoints[index];

	*endpoint = (struct endpoint){
		.references = 1, .number = number, .carriers = 1u << CARRIER_SEALED, .weight = 1
	};
	if (sim_one_in(2))
		endpoint->carriers |= 1u << CARRIER_HANDOFF;
	snprintf(endpoint->name, sizeof endpoint->name, "%s", name);
	snprintf(endpoint->server_name, sizeof endpoint->server_name, "%s", name);
	add_upstream(agent, index);
	endpoint->bounds.half_closed_ms = 60000;
	endpoint->addresses = some_addresses(agent);
	endpoint->balance = sim_one_in(3) ? BALANCE_SOURCE : BALANCE_LEAST;
	endpoint->priority = agent->process == FIRST_AGENT + 1 && sim_one_in(3) ? 9 : 0;
	agent->list[index] = endpoint;
	agent->table.count = index + 1;
}

static void
fill_agent(struct sim_agent *agent)
{
	const struct tls_settings session = { .purpose = TLS_SESSION_AGENT };
	const struct tls_settings channel = { .purpose = TLS_CHANNEL_AGENT };
	char workers[] = "1";
	struct agent_settings settings = { .workers = workers,
		.heartbeat_ms = 10000,
		.tolerance_ms = 15000,
		.pool_least = 2,
		.pool_most = 6 };
	struct agent_state state;

	agent->table = (struct endpoint_table){ .references = 1, .endpoints = agent->list };
	add_endpoint(agent, 0, 1, agent->process == FIRST_AGENT + 2 ? "beta.sim" : "alpha.sim");
	for (uint32_t i = 1; agent->process == FIRST_AGENT + 2 && i < ENDPOINTS; i++) {
		char name[16];

		snprintf(name, sizeof name, "more%02u.sim", i);
		add_endpoint(agent, i, i + 1, name);
	}
	agent->own = (struct own_certificate){ .references = 1,
		.session = tls_config_new(&session, NULL) };
	agent->credentials = (struct credentials){ .references = 1,
		.own = &agent->own,
		.channel = tls_config_new(&channel, NULL) };
	memset(&state, agent->instance, sizeof state);
	for (size_t i = 0; i < sizeof state.start; i++)
		state.start[i] = (uint8_t)sim_random();
	agent->context.credentials = &agent->credentials;
	agent->context.endpoint_table = &agent->table;
	agent_context_configure(&agent->context, &settings, &state);
}

static void
on_ready(void *arg)
{
	(void)arg;
}

/* Of one name for as long as it is up; two agents of that name may have one each. */
static void
begin_challenge(struct sim_agent *agent)
{
	static const uint8_t digest[CHALLENGE_DIGEST];
	char error[CHALLENGE_ERROR];

	agent->context.challenges = challenges_new(agent->context.loop);
	agent_workers_set_challenges(agent->context.workers, agent->context.challenges);
	if (sim_one_in(2))
		agent->challenge = challenge_start(agent->context.challenges,
		    agent->endpoints[0].server_name, digest, on_ready, NULL, error);
}

void
agent_up(struct sim_agent *agent)
{
	char *targets[RELAYS] = { (char *)(uintptr_t)relay_target[0],
		(char *)(uintptr_t)relay_target[1] };
	struct conf_texts urls = { .items = targets, .count = RELAYS };

	sim_self = agent->process;
	sim_processes[sim_self].alive = true;
	memset(&agent->context, 0, sizeof agent->context);
	fill_agent(agent);
	agent->context.loop = loop_new();
	agent->context.workers =
	    agent_workers_new(1, agent->context.loop, NULL, &agent->table, relay_session_on_report);
	begin_challenge(agent);
	relay_links_init(&agent->links, &agent->context, on_link, agent);
	relay_links_set(&agent->links, &urls);
	agent->is_up = true;
	agent->is_draining = false;
	sim_tell("%s is up", sim_processes[sim_self].name);
}

void
agent_down(struct sim_agent *agent)
{
	sim_self = agent->process;
	relay_links_wipe(&agent->links);
	agent_workers_free(agent->context.workers);
	challenge_end(agent->challenge);
	agent->challenge = NULL;
	challenges_free(agent->context.challenges);
	loop_settle(agent->context.loop);
	loop_free(agent->context.loop);
	tls_config_release(agent->own.session);
	tls_config_release(agent->credentials.channel);
	for (size_t i = 0; i < agent->table.count; i++)
		upstream_group_release(agent->endpoints[i].upstream.group);
	if (kernel_open_count(agent->process) > 0)
		sim_violated(
		    "%s is down and has open descriptors", sim_processes[agent->process].name);
	if (agent->table.references != 1 || agent->endpoints[0].references != 1 ||
	    agent->credentials.references != 1)
		sim_violated("%s is down and something still holds its endpoints or credentials",
		    sim_processes[agent->process].name);
	for (size_t i = 0; i < agent->table.count; i++)
		address_rules_release(agent->endpoints[i].addresses);
	agent->is_up = false;
	sim_processes[agent->process].alive = false;
	sim_tell("%s is down", sim_processes[agent->process].name);
}

/* ---- draining ---- */

void
relay_say_goodbye(struct sim_relay *relay)
{
	sim_self = relay->process;
	for (int i = 0; i < WORKERS; i++)
		agent_session_end_all(&relay->workers[i], CODE_SHUTDOWN, "the relay has stopped");
}

void
agent_drain(struct sim_agent *agent, uint32_t ms)
{
	sim_self = agent->process;
	agent->is_draining = true;
	relay_links_drain(&agent->links, ms);
	agent_workers_drain(agent->context.workers);
}

/* ---- whichever it is ---- */

bool
process_is_up(int process)
{
	return process < FIRST_AGENT ? relays[process].is_up : agents[process - FIRST_AGENT].is_up;
}

bool
process_is_draining(int process)
{
	return process < FIRST_AGENT ? relays[process].is_draining
				     : agents[process - FIRST_AGENT].is_draining;
}

void
process_up(int process)
{
	if (process < FIRST_AGENT)
		relay_up(&relays[process]);
	else
		agent_up(&agents[process - FIRST_AGENT]);
}

void
process_down(int process)
{
	if (process < FIRST_AGENT)
		relay_down(&relays[process]);
	else
		agent_down(&agents[process - FIRST_AGENT]);
}

/* ---- for all schedules ---- */

void
daemons_reset(void)
{
	rules_held = 0;
	for (int i = 0; i < RELAYS; i++) {
		relays[i].process = i;
		relays[i].epoch = 0;
		relays[i].is_up = false;
		relays[i].names.count = 0;
	}
	for (int i = 0; i < AGENTS; i++) {
		agents[i].process = FIRST_AGENT + i;
		agents[i].instance = (uint8_t)(i + 1);
		agents[i].is_up = false;
	}
}

int
daemons_rules_held(void)
{
	return rules_held;
}

bool
daemons_load(void)
{
	const struct tls_settings session = { .purpose = TLS_SESSION_RELAY };
	static const char text[] =
	    "version: 1\n"
	    "listeners: [{address: \"10.0.0.1:443\"}]\n"
	    "connect: {server_name: relay0.sim, certificate: /x, private_key: /y, agent_cas: [/z]}\n"
	    "routes: [{server_name: static.sim, upstream: {url: \"tcp://up:80\"}}]\n";
	char path[] = "/tmp/valise-sim-XXXXXX";
	int fd = mkstemp(path);
	bool fine = fd >= 0 && write(fd, text, sizeof text - 1) == (ssize_t)sizeof text - 1 &&
	    settings_read(&relay_settings, path, stderr, NULL);

	session_tls = tls_config_new(&session, NULL);
	unbounded_rates(); /* now: a schedule is the same whether another one was played before or not */
	if (fd >= 0) {
		close(fd);
		unlink(path);
	}
	return fine;
}
