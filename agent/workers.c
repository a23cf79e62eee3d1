/*
 * All workers of the agent.
 */
#include "agent/workers.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

struct workers {
	unsigned count, next;
	_Atomic uint64_t flow_count;
	struct flow_worker *workers[];
};

struct workers *
workers_new(unsigned count, struct loop *main_loop, struct resolver *resolver,
    struct roster *roster,
    void (*on_report)(struct session_ref *, enum flow_worker_report, const char *error))
{
	struct workers *workers =
	    calloc(1, sizeof *workers + count * sizeof(struct flow_worker *));
	struct flow_worker_wish wish = {
	    .main_loop = main_loop,
	    .resolver = resolver,
	    .roster = roster,
	    .on_report = on_report,
	};
	char name[24];

	if (!workers)
		return NULL;
	wish.flow_count = &workers->flow_count;
	for (; workers->count < count; workers->count++) {
		snprintf(name, sizeof name, "worker-%u", workers->count);
		workers->workers[workers->count] = flow_worker_start(name, &wish);
		if (!workers->workers[workers->count]) {
			workers_free(workers);
			return NULL;
		}
	}
	return workers;
}

void
workers_free(struct workers *workers)
{
	if (!workers)
		return;
	for (unsigned i = 0; i < workers->count; i++)
		flow_worker_stop(workers->workers[i]);
	free(workers);
}

unsigned
workers_dial(struct workers *workers, struct session_ref *ref, unsigned count)
{
	unsigned ordered = 0;

	for (unsigned i = 0; i < count; i++)
		ordered +=
		    flow_worker_dial(workers->workers[workers->next++ % workers->count], ref);
	return ordered;
}

static void
note(bool given)
{
	if (!given)
		log_event(LOG_ERROR, "memory-short",
		    "memory is short: a worker was not told of a change");
}

void
workers_drop(struct workers *workers, struct session_ref *ref)
{
	for (unsigned i = 0; i < workers->count; i++)
		note(flow_worker_drop(workers->workers[i], ref));
}

void
workers_publish(struct workers *workers, struct roster *roster)
{
	for (unsigned i = 0; i < workers->count; i++)
		note(flow_worker_publish(workers->workers[i], roster));
}

void
workers_drain(struct workers *workers)
{
	for (unsigned i = 0; i < workers->count; i++)
		note(flow_worker_drain(workers->workers[i]));
}

uint64_t
workers_flow_count(const struct workers *workers)
{
	return atomic_load(&workers->flow_count);
}
