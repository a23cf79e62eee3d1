/* Two clocks, and one switch that lets a test hold both. */
#include "base/clock.h"

#include <stdatomic.h>
#include <time.h>
#include "base/clock_private.h"

_Atomic uint64_t clock_fake_monotonic_us;
_Atomic int64_t clock_fake_wall_us;

static int64_t
read_us(clockid_t which)
{
	struct timespec now;

	clock_gettime(which, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

bool
clock_is_fake(void)
{
	return atomic_load_explicit(&clock_fake_monotonic_us, memory_order_relaxed) != 0;
}

uint64_t
clock_us(void)
{
	uint64_t fake = atomic_load_explicit(&clock_fake_monotonic_us, memory_order_relaxed);

	return fake != 0 ? fake : (uint64_t)read_us(CLOCK_MONOTONIC);
}

uint64_t
clock_ms(void)
{
	return clock_us() / 1000;
}

int64_t
clock_wall_us(void)
{
	if (clock_is_fake())
		return atomic_load_explicit(&clock_fake_wall_us, memory_order_relaxed);
	return read_us(CLOCK_REALTIME);
}

int64_t
clock_wall_s(void)
{
	return clock_wall_us() / 1000000;
}
