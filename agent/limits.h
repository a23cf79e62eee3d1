/*
 * The limits in force: what the settings say and, where this host cannot keep
 * that or they say nothing, what its descriptors allow.  Derived here and nowhere
 * else; a plain value.
 *
 * Descriptors are shared by the daemon itself (log, files, loops and their
 * pipes, the admin socket, sessions), by channels, which are dialled, by flows, which take two
 * each: the channel and the upstream, and by connections of forwards, which take two each as well.
 * Where there are too few for all that forwards ask for, each has the same part of that.
 */
#ifndef AGENT_LIMITS_H
#define AGENT_LIMITS_H

#include <stdint.h>
#include <stdio.h>

struct agent_settings;

struct agent_limits {
	uint64_t descriptors; /* all of them */
	uint64_t reserve,
	    channels;       /* of these: for the agent itself and its forwards, for channels */
	uint64_t pool_most; /* channels of each relay, so that none can take another's */
	uint64_t memory;    /* bytes that flows may hold by standing still; 0: no bound */
	uint64_t flows, handshakes; /* at once */
};

/* `descriptors` is how many this process may have (socket_raise_limit()), `memory` what the host has
 * (host_memory()). */
void agent_limits_derive(
    struct agent_limits *, const struct agent_settings *, uint64_t descriptors, uint64_t memory);
/* How many connections at a time a forward may have that asks for so many. */
uint64_t agent_limits_forward(const struct agent_settings *, uint64_t asked, uint64_t descriptors);
/* Lines for `check`, with what was asked for where it cannot be had. */
void agent_limits_print(const struct agent_limits *, const struct agent_settings *, FILE *);

#endif
