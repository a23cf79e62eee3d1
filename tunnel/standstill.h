/*
 * What flows hold whose peers take nothing, and who goes when memory is short.
 *
 * Shared by:     all flows of a daemon that stand still for two seconds or more (tunnel/stalls.h),
 *                of all clients and loops, weighed by what they hold of our memory and of the
 *                kernel's (SO_MEMINFO of both sockets of each, once a second), by client block, and
 *                by owner where there is one (base/shares.h).
 * Bound:         three quarters of limits.memory, less what the process has in use itself; and of
 *                the kernel's part three quarters of what TCP may have (base/host.h), since beyond
 *                that the kernel takes from everybody, however much memory there is.
 * Who leaves:    of the owner whose flows hold most, in that of the network whose flows do, in that
 *                of the host, the flow that has stood still longest; its owner ends it with the reason
 *                standstill_reason.  One that has moved within two seconds is let off, and counts
 *                again when it next stands still; but only twice in a row, so that a reader
 *                who drips does not hold the others' memory.  Who takes all that there is for
 *                him begins anew.
 *
 * Flows that have nothing queued are never counted, nor are those whose peers take what comes.  The
 * number in /proc/net/sockstat is not used: it counts other programs', too.
 *
 *	pump's on_held --> standstill_note(...)
 *	the entrant's on_evict --> standstill_must_end(...) --> pump_stop()
 */
#ifndef TUNNEL_STANDSTILL_H
#define TUNNEL_STANDSTILL_H

#include <stdbool.h>
#include <stdint.h>

struct address;
struct shares;
struct shares_entrant;
struct shares_place;

/* What is held is rounded up to a multiple of this. */
enum { STANDSTILL_LET_OFF_MOST = 2, STANDSTILL_UNIT_BYTES = 4096 };

extern const char standstill_reason[];

/* Of a daemon. */
struct standstills {
	struct shares *shares;
	_Atomic uint64_t own_bytes; /* what all of them hold of our memory */
	uint64_t kernel_most;       /* what TCP may have; UINT64_MAX: nobody says */
};

/* Embedded in its flow; {0} is not counted. */
struct standstill {
	struct shares_place *place;
	uint64_t bytes, own_bytes; /* of these in our buffers */
	unsigned let_off;          /* how often since it last had nothing queued */
};

/* False when memory is short. */
bool standstills_init(struct standstills *);
/* All must have left. */
void standstills_wipe(struct standstills *);
/* Once a second, in the main thread; `memory` is limits.memory, 0 for no bound. */
void standstills_set_bound(struct standstills *, uint64_t memory);

/* What pump_stalls_init()'s on_held says of a flow; both 0: it leaves. */
void standstill_note(struct standstills *, struct standstill *, const struct shares_entrant *,
    uint64_t own_bytes, uint64_t kernel_bytes);
/* Its place is needed: it leaves.  `waited_ms` is pump_stalled_ms(), `id` has FLOW_ID_BYTES.  True, and
 * logged, if the flow must end; false if it is let off. */
bool standstill_must_end(struct standstills *, struct standstill *, uint64_t waited_ms,
    const struct address *client, const uint8_t *id);

#endif
