/*
 * Waiting for an agent to come back: a flow whose name was served within the
 * last minute, and by nobody now, keeps its hello for up to 5 s.  An agent that
 * restarts or connects anew is back by then, and its client notices nothing.  An
 * agent whose certificate was refused is not waited for.  A relay that drains waits
 * for nobody: those who wait when the drain begins look once more at the next look,
 * WAIT_LOOK_MS later at most.
 *
 * Those who came first look first, and at most WAIT_LOOKS_MOST look in one turn,
 * so that names which come and go do not keep the loop busy.
 *
 * Shared by:     all clients, in all workers; a flow that waits counts like any other beside it.
 * Bound:         WAITS_MOST, of these WAITS_A_CLIENT of a client block (/32, IPv6 /64) and
 *                WAITS_A_NAME of one name, a wildcard being one.
 * Who leaves:    when it is full, the newest of the network with most, or the newcomer if that is
 *                his own (base/shares.h); of a block or a name that is at its bound the newcomer.
 *                Who leaves is refused at once, as those are who have waited in vain.
 */
#ifndef RELAY_FLOW_WAIT_H
#define RELAY_FLOW_WAIT_H

#include <stdbool.h>
#include <stdint.h>

struct flow;
struct worker_context;

enum {
	WAIT_MS = 5000,
	WAIT_LOOK_MS = 20,
	WAIT_LOOKS_MOST = 1024,
	WAITS_MOST = 1024,
	WAITS_A_CLIENT = 16,
	WAITS_A_NAME = 256,
};

/* Makes the worker's list. */
void flow_wait_init(struct worker_context *);
/* Takes a flow that is looking, and looks again whenever something is announced.  False when it
 * may not wait (any longer). */
bool flow_wait(struct flow *);
/* Takes the flow off the list if it waits; it keeps its place among those who wait until the next one. */
void flow_wait_leave(struct flow *);
/* How much has ever been announced, and marked for ACME servers: to be read before a look-up. */
uint64_t flow_wait_arrivals(const struct worker_context *);
/* It has found a way, or ends. */
void flow_wait_end(struct flow *);

#endif
