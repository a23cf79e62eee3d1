/*
 * The processes that a daemon has beside itself for what needs the network's libraries: one looks names up
 * (lookup_helper.h), one fetches (fetch.h).  Nothing of them runs, or is executed, before it is needed.
 *
 *	processes_start()	the first thing of all: no thread, no secret and no sandbox yet
 *	resolver_new_in(processes.resolver), fetcher_new(loop, resolver, processes.fetch)
 *	processes_end()		after those are freed
 */
#ifndef BASE_PROCESSES_H
#define BASE_PROCESSES_H

#include <stdbool.h>

struct helper;

struct processes {
	struct helper *resolver, *fetch;
};

/* False with errno; there is none then. */
bool processes_start(struct processes *);
/* Harmless on {0}. */
void processes_end(struct processes *);

#endif
