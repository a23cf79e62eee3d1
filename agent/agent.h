/*
 * The agent as a whole: one main loop with a link to each relay, workers for
 * channels and flows, files watched, signals obeyed.
 *
 *	starting --> serving --> draining (SIGTERM, SIGINT) --> leaving --> stopped
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include <stdbool.h>

struct settings;

struct agent_wish {
	struct settings *settings;	/* checked; wiped by the agent */
	const char *config_path;	/* read again at SIGHUP; NULL: one-shot */
	bool once;			/* exit 77 at the first refusal for good */
};

enum { AGENT_DRAIN_MS = 30000, AGENT_GOODBYE_MS = 1000 };

/* Runs until it is told to stop; returns the exit code. */
int agent_run(const struct agent_wish *);

#endif
