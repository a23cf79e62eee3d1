/*
 * All workers of the agent, spoken to as one.  The main thread's alone.
 */
#ifndef AGENT_WORKERS_H
#define AGENT_WORKERS_H

#include "agent/flow_worker.h"

struct workers;

/* NULL when the system refuses. on_report: see flow_worker.h. */
struct workers *workers_new(unsigned count, struct loop *main_loop, struct resolver *,
    struct roster *,
    void (*on_report)(struct session_ref *, enum flow_worker_report, const char *error));
/* Ends all flows. NULL is fine. */
void workers_free(struct workers *);

/* Dials `count` channels, each on the next worker; returns how many were ordered. */
unsigned workers_dial(struct workers *, struct session_ref *, unsigned count);
void workers_drop(struct workers *, struct session_ref *);
void workers_publish(struct workers *, struct roster *);
void workers_drain(struct workers *);
/* Flows at this moment. */
uint64_t workers_flow_count(const struct workers *);

#endif
