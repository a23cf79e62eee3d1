/*
 * Waiting for an agent to come back: a flow whose name was served within the
 * last minute, and by nobody now, keeps its hello for up to 5 s.  An agent that
 * restarts or connects anew is back by then, and its client notices nothing.  An
 * agent whose certificate was refused is not waited for.  A relay that drains waits
 * for nobody: those who wait when the drain begins look once more at the next look,
 * WAIT_LOOK_MS later at most.
 *
 * All clients of a worker share its list.  A flow that waits counts like any
 * other, so the bound is that of flows, and so is who leaves: base/shares.h.  Those
 * who came first look first, and at most WAIT_LOOKS_MOST look in one turn, so
 * that names which come and go do not keep the loop busy.
 */
#ifndef RELAY_FLOW_WAIT_H
#define RELAY_FLOW_WAIT_H

#include <stdbool.h>

struct flow;
struct worker_context;

enum { WAIT_MS = 5000, WAIT_LOOK_MS = 20, WAIT_LOOKS_MOST = 1024 };

/* Makes the worker's list. */
void flow_wait_init(struct worker_context *);
/* Takes a flow that is looking, and looks again whenever something is announced.  False when it
 * may not wait (any longer). */
bool flow_wait(struct flow *);
/* Takes the flow off the list if it waits. */
void flow_wait_leave(struct flow *);

#endif
