/* Sets the clocks for a test, and moves them on. */
#include "base/clock_fake.h"

#include <assert.h>
#include <stdatomic.h>
#include "base/clock_private.h"

void
clock_fake(uint64_t monotonic_us, int64_t wall_us)
{
	atomic_store_explicit(&clock_fake_wall_us, wall_us, memory_order_relaxed);
	atomic_store_explicit(&clock_fake_monotonic_us, monotonic_us, memory_order_relaxed);
}

void
clock_fake_move(uint64_t monotonic_us)
{
	uint64_t now = atomic_load_explicit(&clock_fake_monotonic_us, memory_order_relaxed);
	int64_t wall = atomic_load_explicit(&clock_fake_wall_us, memory_order_relaxed);

	assert(now != 0 && monotonic_us >= now);
	clock_fake(monotonic_us, wall + (int64_t)(monotonic_us - now));
}
