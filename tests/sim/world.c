/* Plans, and the reckoning at the end. */
#include "world.h"

#include <string.h>
#include "base/clock.h"
#include "base/clock_fake.h"
#include "base/hash.h"
#include "arena.h"
#include "daemons.h"
#include "memory.h"
#include "people.h"
#include "relay/route.h"
#include "relay/session_ref.h"
#include "relay/route.h"

enum {
	PLANS = 24,
	FAULTS_MS = 20000,		/* faults happen in this time */
	HEALED_MS = 100000,		/* then all must be well within this one */
	LAST_MS = 20000,		/* and then everybody must have finished */
	HEARTBEATS_MS = 27000,
	SILENT_MS = 5000,		/* then an agent makes a second session */
	TURN_MS = 4000,			/* within which it comes back to a relay that has died */
	MAKING_MS = 500,		/* of a session */
	AWAY_MS = 3000,			/* a relay that is restarted */
	DRAIN_MS = 3000,
	DRAINS = 2,			/* where nothing else happens */
	DRAIN_FIRST_MS = 2500,
	STEP_MS = 1000,
	STEPS_MOST = 200000,
};

/* Faults first; the last one is what follows them. */
enum plan_kind {
	RESET, BLACK_HOLE, NAT_FORGETS, STOP, CRASH, DRAIN, BAD_WEATHER, SWITCH_UPSTREAM, CUT, MOVE, FAULT_KINDS,
	UP_AGAIN, MEND, RESTART, CHECK_BACK
};

enum route_verdict __real_route_find(struct routes *, const struct route_question *, struct route_answer *,
    void (*)(void *, const struct route_answer *), void *, struct route_request **);

struct plan {
	struct sim_event event;
	enum plan_kind kind;
	int process;
};

struct sim_process sim_processes[SIM_PROCESSES] = {
	{ "relay0", .octet = 1 }, { "relay1", .octet = 2 }, { "agent0", .octet = 11 }, { "agent1", .octet = 12 },
	{ "agent2", .octet = 13 }, { "guest", .octet = 14 }, { "clients", .octet = 21 }, { "upstream", .octet = 31 },
};
int sim_self;

bool (*world_guest)(void);

static struct plan plans[PLANS];
static unsigned agent_count, plan_count, held_before;
static bool has_faults;

/* Of eight schedules one has no faults, and one has agents that drain, nothing else.  Of sixteen there is one in
 * which both relays are restarted in turn, and one in which every agent's network forgets its connections: there
 * all must be well soon. */
static enum story { ANY_FAULTS, NO_FAULTS, DRAINS_ONLY, RESTARTS, SILENCE } story;

bool
world_has_drains_only(void)
{
	return story == DRAINS_ONLY;
}

bool
world_is_calm(void)
{
	return !has_faults && memory_failed() == 0;
}

/* ---- faults ---- */

static void plan(enum plan_kind, int process, uint64_t in_ms);

/* A process that dies: its peers are told by resets, or, when the whole host is gone, by nobody. */
static void
crash(int process)
{
	sim_tell("%s crashes", sim_processes[process].name);
	kernel_kill(process, sim_one_in(2));
	process_down(process);
	plan(UP_AGAIN, process, sim_below(4000));
}

/* The first time it drains, the second time, a little later, it says goodbye; then it comes again. */
static void
drain(int process)
{
	if (process_is_draining(process)) {
		sim_tell("%s says goodbye", sim_processes[process].name);
		if (process < FIRST_AGENT)
			relay_say_goodbye(&relays[process]);
		else
			relay_links_goodbye(&agents[process - FIRST_AGENT].links);
		return;
	}
	sim_tell("%s drains", sim_processes[process].name);
	if (process < FIRST_AGENT)
		relay_drain(&relays[process], DRAIN_MS);
	else
		agent_drain(&agents[process - FIRST_AGENT], DRAIN_MS);
	plan(DRAIN, process, sim_below(DRAIN_MS));
	plan(UP_AGAIN, process, DRAIN_MS + sim_below(world_has_drains_only() ? 500 : 3000));
}

static void
come_up_again(int process)
{
	if (process_is_up(process) && process_is_draining(process))
		process_down(process);
	if (!process_is_up(process)) {
		memory_hold();
		process_up(process);
		memory_let_go();
	}
}

static void
restart(int process)
{
	uint64_t away_ms = sim_below(AWAY_MS);

	sim_tell("%s is killed", sim_processes[process].name);
	kernel_kill(process, false);
	process_down(process);
	plan(UP_AGAIN, process, away_ms);
	plan(CHECK_BACK, process, away_ms + TURN_MS + MAKING_MS);
}

static void
forget(int process)
{
	sim_tell("the NAT of %s forgets everything", sim_processes[process].name);
	kernel_forget_nat(process, (1u << RELAYS) - 1);
	people_excuse();
	if (story == SILENCE)
		plan(CHECK_BACK, process, SILENT_MS + MAKING_MS);
}

static void
cut(int process)
{
	sim_tell("the network of %s is cut", sim_processes[process].name);
	kernel_cut(process, true);
	plan(MEND, process, sim_below(sim_one_in(4) ? 20000 : 8000));
}

static void
mend(int process)
{
	sim_tell("the network of %s is mended", sim_processes[process].name);
	kernel_cut(process, false);
}

/* Who lacks memory may lack a session. */
static void
check_back(int process)
{
	for (unsigned i = 0; i < agent_count; i++)
		for (int relay = 0; relay < RELAYS; relay++) {
			int agent = agents[i].process;

			if ((process == relay || process == agent) && kernel_ways(agent, relay) == 0 && memory_failed() == 0)
				sim_violated("%s has found no way back to %s in time", sim_processes[agent].name,
				    sim_processes[relay].name);
		}
}

static void
carry_out(struct sim_event *event)
{
	struct plan *due = container_of(event, struct plan, event);
	int process = due->process;

	switch (due->kind) {
	case RESET:
		kernel_hurt(KERNEL_RESET);
		break;
	case BLACK_HOLE:
		kernel_hurt(KERNEL_BLACK_HOLE);
		break;
	case NAT_FORGETS:
		forget(process);
		break;
	case STOP:
		sim_tell("%s is stopped for a while", sim_processes[process].name);
		sim_processes[process].stopped_until_us = clock_us() + 1000 * (uint64_t)sim_below(12000);
		break;
	case CRASH:
		if (process_is_up(process))
			crash(process);
		break;
	case DRAIN:
		if (process_is_up(process))
			drain(process);
		break;
	case BAD_WEATHER:
		kernel_weather(1000 * (uint64_t)sim_below(sim_one_in(4) ? 3000 : 200), 1 + sim_below(6));
		break;
	case SWITCH_UPSTREAM:
		people_switch_upstream(!people_upstream_is_up());
		sim_tell("the upstream is %s", people_upstream_is_up() ? "up" : "in trouble");
		break;
	case MOVE:
		if (process < FIRST_AGENT && process_is_up(process)) {
			sim_tell("%s has its agents move", sim_processes[process].name);
			relay_have_agents_move(&relays[process], sim_below(2000));
		}
		break;
	case UP_AGAIN:
		come_up_again(process);
		break;
	case CUT:
		cut(process);
		break;
	case MEND:
		mend(process);
		break;
	case RESTART:
		restart(process);
		break;
	case CHECK_BACK:
		check_back(process);
		break;
	case FAULT_KINDS:
		break;
	}
}

static void
plan(enum plan_kind kind, int process, uint64_t in_ms)
{
	struct plan *planned = &plans[plan_count++ % PLANS];

	if (planned->event.happen)
		kernel_forget(&planned->event);
	*planned = (struct plan){ .kind = kind, .process = process };
	kernel_at(&planned->event, clock_us() + in_ms * 1000, carry_out);
}

/* The agents of a name, two or one, are started anew one after the other; each has come back before.  And at some
 * moment each relay has its agents move. */
static void
plan_drains(void)
{
	for (unsigned i = 0; i < DRAINS; i++)
		plan(DRAIN, FIRST_AGENT + (int)(agent_count > 1 ? i : 0), DRAIN_FIRST_MS + i * FAULTS_MS / DRAINS);
	for (int i = 0; i < RELAYS; i++)
		plan(MOVE, i, sim_below(FAULTS_MS));
}

/* Each relay twice: the second time when all agents are back. */
static void
plan_restarts(void)
{
	enum { FIRST_MS = 3000, APART_MS = 1000, AGAIN_MS = AWAY_MS + TURN_MS + MAKING_MS + 1000 };

	for (int relay = 0; relay < RELAYS; relay++)
		for (unsigned i = 0; i < 2; i++)
			plan(RESTART, relay, FIRST_MS + (unsigned)relay * APART_MS + i * AGAIN_MS + sim_below(500));
}

static void
plan_silence(void)
{
	for (unsigned i = 0; i < agent_count; i++)
		plan(NAT_FORGETS, agents[i].process, 3000 + sim_below(12000));
}

static void
plan_faults(void)
{
	unsigned count = 1 + sim_below(6);

	for (unsigned i = 0; i < count; i++) {
		int process = sim_one_in(2) ? (int)sim_below(RELAYS) : FIRST_AGENT + (int)sim_below(agent_count);

		plan((enum plan_kind)sim_below(FAULT_KINDS), process, sim_below(FAULTS_MS));
	}
}

/* ---- a schedule ---- */

static uint64_t
next_us(uint64_t until_us)
{
	uint64_t next = kernel_next_us(), of_loops = loops_next_us(), of_people = people_next_us();

	if (of_loops < next)
		next = of_loops;
	if (of_people < next)
		next = of_people;
	if (next < until_us)
		return next > clock_us() ? next : clock_us() + 1;
	return until_us;
}

static void
run_ms(uint64_t ms)
{
	uint64_t until_us = clock_us() + ms * 1000;
	unsigned steps = 0;

	for (;;) {
		bool by_kernel = kernel_run(), by_loops = loops_turn();
		bool by_people = people_step(), by_guest = world_guest && world_guest();

		if (by_kernel || by_loops || by_people || by_guest) {
			if (++steps > STEPS_MOST)
				sim_violated("nobody comes to rest:%s%s%s%s", by_kernel ? " kernel" : "",
				    by_loops ? " loops" : "", by_people ? " people" : "",
				    by_guest ? " guest" : "");
			continue;
		}
		if (clock_us() >= until_us)
			return;
		clock_fake_move(next_us(until_us));
		steps = 0;
	}
}

static void
heal(void)
{
	sim_tell("all faults are over");
	for (int i = 0; i < SIM_PROCESSES; i++)
		kernel_cut(i, false);
	kernel_weather(1000, 0);
	people_switch_upstream(true);
	for (int i = 0; i < PLANS; i++)
		kernel_forget(&plans[i].event);
	for (int i = 0; i < FIRST_AGENT + (int)agent_count; i++) {
		sim_processes[i].stopped_until_us = 0;
		come_up_again(i);
	}
	people_close_upstreams(false);
}

static bool
all_is_well(void)
{
	for (unsigned i = 0; i < agent_count; i++) {
		if (relay_links_up_count(&agents[i].links) != RELAYS)
			return false;
	}
	return people_are_over();
}

/* Not longer than needed. */
static void
run_until_all_is_well(uint64_t most_ms)
{
	for (uint64_t ms = 0; ms < most_ms && !all_is_well(); ms += STEP_MS)
		run_ms(STEP_MS);
}

static void
check_links(void)
{
	for (unsigned i = 0; i < agent_count; i++) {
		if (relay_links_up_count(&agents[i].links) != RELAYS)
			sim_violated("%s has %zu of %d sessions, long after the last fault",
			    sim_processes[agents[i].process].name, relay_links_up_count(&agents[i].links), RELAYS);
	}
}

/* The one that has many names goes on with what it announced in a session before, where it can. */
static void
check_names(const struct sim_relay *relay, const struct sim_agent *agent)
{
	struct route_question question = { 0 };
	struct address client;
	struct route_answer answer;

	address_parse(&client, "10.0.0.21:1");
	question.client = ip_address_of(&client);
	for (size_t i = 0; i < agent->table.count; i++) {
		question.name = agent->endpoints[i].server_name;
		if (__real_route_find(relay->shared.routes, &question, &answer, NULL, NULL, NULL) != ROUTE_AGENT)
			sim_violated("%s does not route %s, long after the last fault",
			    sim_processes[relay->process].name, question.name);
		session_ref_release(answer.session_ref);
	}
}

static void
check_all_names(void)
{
	for (int i = 0; i < RELAYS && agent_count == AGENTS; i++)
		check_names(&relays[i], &agents[AGENTS - 1]);
}

/* Without other faults every failed allocation hurts one client at most. */
static unsigned hurt;

static void
check_client(const struct sim_client *client)
{
	bool is_known = strcmp(client->name, "none.sim") != 0 &&
	    (strcmp(client->name, "beta.sim") != 0 || agent_count > 2);

	if (!client->has_begun)
		sim_violated("client %d never began", client->number);
	if (!client->is_over)
		sim_violated("client %d hangs", client->number);
	if (has_faults && story != SILENCE && client->number != CLIENTS - 1 &&
	    !(world_has_drains_only() && strcmp(client->name, "alpha.sim") == 0 && !client->looks_for_proof))
		return;
	if (client->resets_itself || client->upstream_resets || client->is_excused ||
	    (story == SILENCE && (client->early_data || client->looks_for_proof)))
		return;
	/* What was on its way to an agent that said goodbye is not sent twice. */
	if (world_has_drains_only() && client->number != CLIENTS - 1 && client->early_data)
		return;
	if (is_known ? !(client->saw_end && client->received == client->down_total) : !people_is_alert(client)) {
		if (client->number < CLIENTS - 1 && ++hurt <= memory_failed())
			return;
	}
	if (is_known && !(client->saw_end && client->received == client->down_total))
		sim_violated("client %d was not served, and nothing was wrong: %zu of %zu bytes%s", client->number,
		    client->received, client->down_total, client->saw_reset ? ", reset" : "");
	if (!is_known && !people_is_alert(client))
		sim_violated("client %d asked for an unknown name and got no alert", client->number);
}

/* After the end: every flow has had its line, unless its relay went down before the last moment, or had no
 * memory to take it (then another line says so). */
static unsigned unmentioned;

static void
check_log(const struct sim_client *client)
{
	if (client->was_accepted && client->log_lines == 0 && relays[client->relay].epoch == client->relay_epoch + 1 &&
	    ++unmentioned > memory_failed())
		sim_violated("client %d left no line in the log", client->number);
}

/* What one failed allocation may cost: one client, and a line that says so. */
static void
check_memory(void)
{
	char what[1024];

	if (memory_failed() == 0)
		return;
	memory_describe(what);
	if (!memory_was_told())
		sim_violated("nobody says that memory was short: %s", what);
}

static void
reset(uint64_t seed, uint64_t fail_at, unsigned burst)
{
	held_before = arena_held();
	sim_seed(seed);
	memory_plan(fail_at, burst);
	clock_fake(1000000, 1700000000000000);
	kernel_start();
	for (int i = 0; i < SIM_PROCESSES; i++) {
		sim_processes[i].stopped_until_us = 0;
		sim_processes[i].alive = i >= CLIENT_PROCESS;
	}
	memset(plans, 0, sizeof plans);
	plan_count = 0;
	hurt = unmentioned = 0;
	people_reset();
	daemons_reset();
}

/* Without faults, or where nothing but silence comes, everybody is there before the first client.  Where agents
 * drain some come when one begins to, which their relay does not know yet. */
static uint64_t
draw_start_ms(void)
{
	if (story == ANY_FAULTS || story == RESTARTS)
		return sim_below(FAULTS_MS);
	if (world_has_drains_only() && sim_one_in(2))
		return DRAIN_FIRST_MS + sim_below(DRAINS) * FAULTS_MS / DRAINS + sim_below(6) - 3;
	return 2000 + sim_below(FAULTS_MS);
}

static void
begin(uint64_t seed, uint64_t fail_at, unsigned burst)
{
	static const enum story story_of[16] = { [0] = NO_FAULTS, [8] = NO_FAULTS, [1] = DRAINS_ONLY, [9] = DRAINS_ONLY,
		[4] = RESTARTS, [12] = SILENCE };

	reset(seed, fail_at, burst);
	story = story_of[seed % 16];
	has_faults = story != NO_FAULTS;
	agent_count = 1 + sim_below(AGENTS);
	for (int i = 0; i < FIRST_AGENT + (int)agent_count; i++)
		come_up_again(i);
	for (int i = 0; i < CLIENTS - 1; i++)
		people_draw(&clients[i], i, draw_start_ms(), false);
}

static void
end(void)
{
	for (unsigned i = 0; i < agent_count; i++)
		agent_down(&agents[i]);
	for (int i = 0; i < RELAYS; i++) {
		if (relays[i].is_up)
			relay_down(&relays[i]);
	}
	people_close_upstreams(true);
	kernel_stop();
	if (loops_count() > 0)
		sim_violated("%u loops are left", loops_count());
	if (arena_held() != held_before)
		sim_violated("%d pieces of memory are left", (int)(arena_held() - held_before));
	if (daemons_rules_held() != 0)
		sim_violated("settings are held %d times too often", daemons_rules_held());
}

void
world_run(uint64_t seed, uint64_t fail_at, unsigned burst)
{
	static void (*const plan_of[])(void) = { [ANY_FAULTS] = plan_faults, [RESTARTS] = plan_restarts,
		[SILENCE] = plan_silence, [DRAINS_ONLY] = plan_drains };

	begin(seed, fail_at, burst);
	if (plan_of[story])
		plan_of[story]();
	run_ms(FAULTS_MS + 2000);
	heal();
	/* Whoever does not know yet that his peer is gone hears of it by the heartbeat. */
	run_ms(has_faults ? HEARTBEATS_MS : STEP_MS);
	run_until_all_is_well(HEALED_MS);
	run_ms(STEP_MS);
	memory_hold();
	run_until_all_is_well(HEALED_MS);
	check_links();
	run_ms(ROUTE_HELD_BACK_MS);
	people_draw(&clients[CLIENTS - 1], CLIENTS - 1, 10, true);
	run_until_all_is_well(LAST_MS);
	memory_let_go();
	check_links();
	check_all_names();
	for (int i = 0; i < CLIENTS; i++)
		check_client(&clients[i]);
	end();
	for (int i = 0; i < CLIENTS; i++)
		check_log(&clients[i]);
	check_memory();
}

/* ---- with a guest ---- */

enum { FORGET_MS = 60000 };

void
world_open(unsigned relay_count)
{
	reset(1, 0, 0);
	has_faults = false;
	story = NO_FAULTS;
	agent_count = AGENTS;
	kernel_weather(1000, 0);
	for (unsigned i = 0; i < relay_count; i++)
		process_up((int)i);
	for (int i = 0; i < AGENTS; i++)
		process_up(FIRST_AGENT + i);
	sim_processes[GUEST_PROCESS].alive = true;
}

void
world_run_ms(uint64_t ms)
{
	run_ms(ms);
}

static void
check_last_client(void)
{
	struct sim_client *client = &clients[CLIENTS - 1];

	people_draw(client, CLIENTS - 1, 10, true);
	for (uint64_t ms = 0; ms < LAST_MS && !people_are_over(); ms += STEP_MS)
		run_ms(STEP_MS);
	check_client(client);
}

void
world_close(void)
{
	run_ms(FORGET_MS);
	for (int i = 0; i < AGENTS; i++) {
		if (!relay_link_is_up(agents[i].links.links[0]))
			sim_violated("%s has lost the relay that is none of the guest's",
			    sim_processes[agents[i].process].name);
	}
	check_last_client();
	world_guest = NULL;
	end();
}
