/*
 * What the files of the running agent share: agent.c (its life) and reload.c
 * (what changes while it runs).  agent.c calls reload.c, never the other way.
 */
#ifndef AGENT_AGENT_PRIVATE_H
#define AGENT_AGENT_PRIVATE_H

#include "agent/agent.h"
#include "agent/context.h"
#include "agent/relay_link.h"
#include "agent/settings.h"
#include "agent/state.h"

struct agent {
	struct agent_options options;
	struct agent_settings settings;
	struct agent_state state;
	struct agent_context context;
	struct relay_links links;
	struct credentials_stamp credentials_stamp;
	struct endpoint_stamp *endpoint_stamps;	/* one for each endpoint of the settings */
	struct timer tick, drain;
	uint64_t drain_until_ms;
	enum { AGENT_SERVING, AGENT_DRAINING, AGENT_LEAVING } stage;
	unsigned tick_count;
	int exit_code;
	struct admin *admin;	/* NULL: nobody can ask */
	int64_t since_s;
};

#endif
