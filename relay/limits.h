/*
 * The limits in force: what the settings say and, where this host cannot keep
 * that or they say nothing, what its descriptors and its memory allow.  They are
 * derived here and nowhere else; a plain value, part of the rules.
 *
 * Descriptors are shared by three, and none can take another's part:
 *	- the daemon itself: log, files, listeners, loops, admin socket, and the
 *	  handshakes of sessions
 *	- agents: sessions, parked channels, and hellos from where agents are; a
 *	  quarter of the rest, or limits.agent_descriptors.  When its part is used
 *	  up a session is refused (session-limit), and a channel closed at once
 *	- clients: hellos, refusals that linger (a quarter as many), and flows, which
 *	  take two each.  When their part is used up, the heaviest network of clients
 *	  gives way
 * A relay without a connect name leaves agents nothing.
 */
#ifndef RELAY_LIMITS_H
#define RELAY_LIMITS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct settings;

struct limits {
	uint64_t descriptors; /* all of them: reserve, agents' and clients' together */
	uint64_t reserve, agent_descriptors, client_descriptors;
	uint64_t flows, hellos, lingers;           /* of clients */
	uint64_t sessions, channels, agent_hellos; /* of agents; each takes one descriptor */
	uint64_t memory; /* bytes, of flows and what the kernel holds for them; 0: no bound */
};

/* `descriptors` is how many this process may have (socket_raise_limit()), `memory` what the host has
 * (host_memory()). */
void limits_derive(struct limits *, const struct settings *, uint64_t descriptors, uint64_t memory);
/* Lines for `check`, with what was asked for where it cannot be had. */
void limits_print(const struct limits *, const struct settings *, FILE *);

/* Counts one more unless there are `most` already; any thread. */
bool limits_enter(_Atomic uint64_t *count, uint64_t most);
void limits_leave(_Atomic uint64_t *count);

#endif
