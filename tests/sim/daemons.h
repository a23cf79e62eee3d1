/*
 * The relays and agents of a schedule, built from the real parts as relay.c and
 * agent.c build them, with two workers and one.
 */
#ifndef TESTS_SIM_DAEMONS_H
#define TESTS_SIM_DAEMONS_H

#include "agent/context.h"
#include "agent/relay_links.h"
#include "pki/identity.h"
#include "relay/rules.h"
#include "relay/shared.h"
#include "relay/worker_context.h"
#include "sim.h"
#include "sni/name.h"

/* So many endpoints are enough that an agent offers to go on with what it has announced. */
enum { RELAYS = 2, WORKERS = 2, AGENTS = 3, ENDPOINTS = 33 };
/* The numbers of the processes: relays first, then agents. */
enum { FIRST_AGENT = RELAYS, GUEST_PROCESS = 5, CLIENT_PROCESS = 6, UPSTREAM_PROCESS = 7 };

struct sim_names {
	unsigned count;
	struct sim_name {
		char name[NAME_SIZE];
		uint8_t identity[IDENTITY_KEY_BYTES], tenant[IDENTITY_KEY_BYTES];
	} at[AGENTS * ENDPOINTS];
};

struct sim_relay {
	int process;
	unsigned epoch;			/* how often it went down */
	bool is_up, is_draining;
	struct sim_names names;		/* that it knew when it went down, as known_names.h keeps them */
	struct shared shared;
	struct rules rules;
	struct route_static *statics[1];
	struct worker_context workers[WORKERS];
};

struct sim_agent {
	int process;
	bool is_up, is_draining;
	struct agent_context context;
	struct relay_links links;
	struct endpoint_table table;
	struct endpoint endpoints[ENDPOINTS], *list[ENDPOINTS];
	struct own_certificate own;
	struct upstream_target targets[ENDPOINTS];
	struct credentials credentials;
	struct challenge *challenge;	/* NULL: none */
	uint8_t instance;
};

extern struct sim_relay relays[RELAYS];
extern struct sim_agent agents[AGENTS];

/* What a relay listens at, by its number. */
extern const char *const relay_target[RELAYS];

/* Once, before the first schedule: the settings of both relays. */
bool daemons_load(void);
/* Before each schedule. */
void daemons_reset(void);
/* After each: does anybody still hold settings? */
int daemons_rules_held(void);

void relay_up(struct sim_relay *);
/* Lets go of everything at once, orderly or after kernel_kill(). */
void relay_down(struct sim_relay *);
void relay_drain(struct sim_relay *, uint64_t ms);
/* As one that another process takes over from, only that the agents come back to this one. */
void relay_have_agents_move(struct sim_relay *, uint64_t spread_ms);
void relay_say_goodbye(struct sim_relay *);

void agent_up(struct sim_agent *);
void agent_down(struct sim_agent *);
void agent_drain(struct sim_agent *, uint32_t ms);

bool process_is_up(int process);
bool process_is_draining(int process);
void process_up(int process);
void process_down(int process);

#endif
