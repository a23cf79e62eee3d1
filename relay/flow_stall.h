/*
 * Flows whose peers take nothing, when memory is short.
 *
 * Shared by:     all flows that stand still for two seconds or more (tunnel/stalls.h), of all
 *                clients and workers, counted by client block (base/shares.h).
 * Bound:         three quarters of limits.memory, less what the process has in use itself, for what
 *                they hold of our memory and of the kernel's (SO_MEMINFO of both sockets of each).
 * Who leaves:    of the heaviest network and in that of the heaviest host, the flow that has stood
 *                still longest; it is reset, with the reason "stalled-memory".  One that has moved
 *                within two seconds goes behind the others instead.
 *
 * Flows that have nothing queued are never counted, nor are those whose peers take what comes.  The
 * number in /proc/net/sockstat is not used: it counts other programs', too.
 */
#ifndef RELAY_FLOW_STALL_H
#define RELAY_FLOW_STALL_H

#include <stdint.h>

struct shared;

/* Of pump_stalls_init(): what a flow holds while it stands still. */
void flow_on_held(void *flow, uint64_t own_bytes, uint64_t kernel_bytes);
/* Once a second, in the main thread: sets the bound; `memory` is limits.memory, 0 for none. */
void flow_stall_set_bound(struct shared *, uint64_t memory);

#endif
