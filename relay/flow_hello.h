/*
 * What has come from a client before its flow is joined: its hello, up to 16 KiB
 * behind it, and what the kernel may still take for it then.
 *
 * Shared by:     all clients, with the hellos in progress (intake.h).
 * Bound:         limits.hello_memory.  Who has sent no more than FLOW_HELLO_FREE_BYTES, as
 *                nearly all do, has no place here: these belong to a flow as its object does, and
 *                limits.flows bounds them.
 * Who leaves:    the oldest of the host with most, in the network with most; its flow is refused.
 */
#ifndef RELAY_FLOW_HELLO_H
#define RELAY_FLOW_HELLO_H

#include <stdbool.h>

struct flow;

enum { FLOW_HELLO_FREE_BYTES = 4096 };

/* Whenever more has been read of a flow that is not joined; is_full: no more will be, until it is.
 * False when memory is short. */
bool flow_hello_weigh(struct flow *, bool is_full);
/* It is joined, or over.  Harmless without a place. */
void flow_hello_leave(struct flow *);

#endif
