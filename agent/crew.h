/*
 * All workers of the agent, spoken to as one.  The main thread's alone.
 */
#ifndef AGENT_CREW_H
#define AGENT_CREW_H

#include "agent/hand.h"

struct crew;

/* NULL when the system refuses. on_report: see hand.h. */
struct crew *crew_new(unsigned workers, struct loop *main_loop, struct resolver *, struct roster *,
    void (*on_report)(struct leg *, enum hand_report, const char *error));
/* Ends all flows. NULL is fine. */
void crew_free(struct crew *);

/* Dials `count` channels, each on the next worker; returns how many were ordered. */
unsigned crew_dial(struct crew *, struct leg *, unsigned count);
void crew_drop(struct crew *, struct leg *);
void crew_publish(struct crew *, struct roster *);
void crew_drain(struct crew *);
/* Flows at this moment. */
uint64_t crew_flow_count(const struct crew *);

#endif
