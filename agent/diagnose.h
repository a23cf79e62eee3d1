/*
 * `valise-agent diagnose`: everything between this host, its relays and its
 * upstreams, tried one after the other, with what was found.  Only what the
 * configuration names is asked; nothing is announced in earnest (valise-protocol(7), the
 * fact dry-run), so it may run beside the agent.
 */
#ifndef AGENT_DIAGNOSE_H
#define AGENT_DIAGNOSE_H

#include <stdbool.h>
#include <stdint.h>

struct diagnose_options {
	const char *config_path;
	bool as_json;
	bool only_relays; /* no upstream is asked, and no public name */
	/* How long a session is held, to see whether something on the way ends it; 0: not. */
	uint64_t hold_s;
};

/* 0: nothing has failed; 1: something has; else as `check`. */
int diagnose_run(const struct diagnose_options *);

#endif
