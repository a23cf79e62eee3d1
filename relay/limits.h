/*
 * The limits in force: what the settings say and, where this host cannot keep
 * that or they say nothing, what its descriptors and its memory allow.  They are
 * derived here and nowhere else; a plain value, part of the rules.
 *
 * Descriptors are shared by three, and none can take another's part:
 *	- the daemon itself: log, files, listeners, loops and their pipes, admin
 *	  socket, and the handshakes of sessions
 *	- agents: sessions, parked channels, channels that shake hands, and hellos
 *	  from where agents are; a quarter of the rest, or limits.agent_descriptors.
 *	  Each of the four has its part of that, so that none can use up another's:
 *	  a session is refused (session-limit), a channel that has no place is closed
 *	  when it would be parked (usage.h), and of the others the heaviest give way
 *	- clients: hellos, refusals that linger (a quarter as many), and flows, which
 *	  take two each.  When their part is used up, the heaviest network of clients
 *	  gives way
 * A relay without a connect name leaves agents nothing.
 *
 * These are counts, which hold as long as nobody takes from outside (an operator lowers the
 * limit of a running process, a library opens more than anybody thought).  So there is one check
 * by what really is: the kernel always gives the lowest number that is free, and a client whose
 * connection and upstream would not both have numbers below kept_from is refused.  The numbers
 * from there on are kept for handshakes of sessions.
 */
#ifndef RELAY_LIMITS_H
#define RELAY_LIMITS_H

#include <stdint.h>
#include <stdio.h>

struct settings;

struct limits {
	uint64_t descriptors; /* all of them: reserve, agents' and clients' together */
	uint64_t reserve, agent_descriptors, client_descriptors;
	uint64_t kept_from;              /* the lowest descriptor that no client's flow may have */
	uint64_t handshakes;             /* of sessions; part of the reserve */
	uint64_t peer_handshakes;        /* of these: of known peers, and as many of unknown ones */
	uint64_t flows, hellos, lingers; /* of clients */
	/* Bytes of hellos: of clients, and beside these of hellos from where agents are. */
	uint64_t hello_memory, agent_hello_memory;
	/* Of agents; each takes one descriptor, and each has one at least where there may be agents. */
	uint64_t sessions, channels, channel_handshakes, agent_hellos;
	uint64_t memory; /* bytes, of flows and what the kernel holds for them; 0: no bound */
};

/* `descriptors` is how many this process may have (socket_raise_limit()), `memory` what the host has
 * (host_memory()). */
void limits_derive(struct limits *, const struct settings *, uint64_t descriptors, uint64_t memory);
/* Lines for `check`, with what was asked for where it cannot be had. */
void limits_print(const struct limits *, const struct settings *, FILE *);

#endif
