/*
 * What the files of agent.h share: agent.c (life), reload.c (what changes while it runs).
 */
#ifndef AGENT_AGENT_PRIVATE_H
#define AGENT_AGENT_PRIVATE_H

#include "agent/agent.h"
#include "agent/context.h"
#include "agent/relay_link.h"
#include "agent/settings.h"
#include "agent/state.h"

struct agent {
	struct agent_wish wish;
	struct settings settings;
	struct state state;
	struct context context;
	struct relay_link **links;
	size_t link_count;
	struct credentials_stamp credentials_stamp;
	struct endpoint_stamp *endpoint_stamps;	/* one for each endpoint of the settings */
	struct timer tick, drain;
	uint64_t drain_until_ms;
	enum { AGENT_SERVING, AGENT_DRAINING, AGENT_LEAVING } stage;
	unsigned tick_count;
	int exit_code;
};

/* The context's values that come from the settings. */
void agent_fill_place(struct agent *);
/* A link for each relay of the settings; those that stand are kept. False: memory. */
bool agent_make_links(struct agent *);
void agent_show_status(struct agent *, const char *state);

/* SIGHUP: parse all, then swap; on any error keep the old. */
void reload_settings(struct agent *);
/* Every second: what files have changed? */
void reload_files(struct agent *);
/* Stamps as of now, before the files are loaded. False: memory. */
bool reload_note_stamps(struct agent *);
/* Warns of what expires soon. */
void reload_warn_expiry(const struct agent *);

#endif
