/*
 * The agent as a whole: a main loop with a link to each relay, and workers for channels and flows.  The
 * main loop also watches the files and obeys signals.
 *
 *	starting --> serving --> draining (SIGTERM, SIGINT) --> leaving --> stopped
 *
 * The order of the start is that of what may be given up: files are read, sockets are bound, the sandbox
 * takes what else there is (base/sandbox.h), threads start, and system calls go.
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include <stdbool.h>

struct agent_settings;
struct processes;

struct agent_options {
	struct agent_settings *settings; /* checked; the agent wipes them */
	const char *config_path;         /* read again at SIGHUP; NULL: one-shot */
	bool once;                       /* exit 77 at the first permanent refusal */
	const struct processes *processes;
	bool has_no_sandbox; /* nothing is given up after the start */
};

enum { AGENT_DRAIN_MS = 30000, AGENT_GOODBYE_MS = 1000 };

/* Runs until it is told to stop; returns the exit code. */
int agent_run(const struct agent_options *);

#endif
