/* Counts what flows that stand still hold, and tells of those that base/shares chooses. */
#include "tunnel/standstill.h"

#include <stdatomic.h>
#include "base/host.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/numbers.h"
#include "base/shares.h"
#include "tunnel/frame.h"
#include "tunnel/stalls.h"

const char standstill_reason[] = "stalled-memory";

bool
standstills_init(struct standstills *all)
{
	atomic_init(&all->own_bytes, 0);
	all->kernel_most = host_tcp_memory();
	all->shares = shares_new(SHARES_OLDEST);
	return all->shares != NULL;
}

void
standstills_wipe(struct standstills *all)
{
	shares_free(all->shares);
	all->shares = NULL;
}

/* What the process has in use beside them.  To count it costs, so it is not counted while nobody stands
 * still: the first who do are judged by the whole bound until the next second. */
static uint64_t
used_beside(struct standstills *all)
{
	uint64_t own = atomic_load(&all->own_bytes), used;

	if (shares_count(all->shares) == 0)
		return 0;
	used = memory_used();
	return difference(used, own);
}

static uint64_t
three_quarters(uint64_t bytes)
{
	return bytes - bytes / 4;
}

void
standstills_set_bound(struct standstills *all, uint64_t memory)
{
	uint64_t used = memory > 0 ? used_beside(all) : 0;
	uint64_t with_kernel = atomic_load(&all->own_bytes) + three_quarters(all->kernel_most);
	uint64_t most = smaller_of(difference(three_quarters(memory), used), with_kernel);

	most = larger_of(most / STANDSTILL_UNIT_BYTES, 1);
	shares_set_bounds(all->shares, &(struct shares_bounds){ .most = memory > 0 ? most : 0 });
}

static void
leave(struct standstills *all, struct standstill *one)
{
	shares_leave(one->place);
	atomic_fetch_sub(&all->own_bytes, one->own_bytes);
	*one = (struct standstill){ 0 };
}

static bool
enter(struct standstills *all, struct standstill *one, const struct shares_entrant *entrant)
{
	enum shares_verdict verdict;

	one->place = shares_enter(all->shares, entrant, &verdict);
	if (!one->place)
		memory_short("the account of a flow that stands still");
	return one->place != NULL;
}

static uint32_t
weight_of(uint64_t bytes)
{
	return (uint32_t)smaller_of(units_for(bytes, STANDSTILL_UNIT_BYTES), SHARES_WEIGHT_MOST);
}

/* One that holds as much as before is weighed, too: it is how a bound that has become lower is obeyed. */
void
standstill_note(struct standstills *all, struct standstill *one,
    const struct shares_entrant *entrant, uint64_t own_bytes, uint64_t kernel_bytes)
{
	uint64_t bytes = own_bytes + kernel_bytes;

	if (bytes == 0) {
		leave(all, one);
	} else if (one->place || enter(all, one, entrant)) {
		atomic_fetch_add(&all->own_bytes, own_bytes - one->own_bytes);
		one->own_bytes = own_bytes;
		one->bytes = bytes;
		shares_weigh(one->place, weight_of(bytes));
	}
}

bool
standstill_must_end(struct standstills *all, struct standstill *one, uint64_t waited_ms,
    const struct address *client, const uint8_t *id)
{
	uint64_t bytes = one->bytes;
	unsigned let_off = one->let_off;

	leave(all, one);
	if (waited_ms < STALLS_LOOK_MS && let_off < STANDSTILL_LET_OFF_MOST) {
		one->let_off = let_off + 1;
		return false;
	}
	log_limited(LOG_WARNING, "memory-pressure", client,
	    "three quarters of limits.memory, or of the kernel's for TCP, are used: of the clients "
	    "whose flows that take nothing hold most of it, the one that has waited longest is reset",
	    log_hex("flow", id, FLOW_ID_BYTES), log_u64("bytes", bytes),
	    log_u64("stalled_ms", waited_ms));
	return true;
}
