/* Randomness, the story, and how a finding is told. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/clock.h"
#include "memory.h"
#include "sim.h"

static uint64_t state, seed_now;
static bool is_telling;

/* splitmix64 (Steele, Lea, Flood 2014). */
uint64_t
sim_random(void)
{
	uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint32_t
sim_below(uint32_t bound)
{
	return (uint32_t)((sim_random() >> 32) * bound >> 32);
}

void
sim_seed(uint64_t seed)
{
	state = seed;
	seed_now = seed;
}

bool
sim_is_telling(void)
{
	return is_telling;
}

static void __attribute__((format(printf, 1, 0)))
tell(const char *format, va_list list)
{
	printf("# %8.3f ", (double)clock_us() / 1e6 - 1);
	vprintf(format, list);
	putchar('\n');
}

void
sim_tell(const char *format, ...)
{
	va_list list;

	if (!is_telling)
		return;
	va_start(list, format);
	tell(format, list);
	va_end(list);
}

void
sim_violated(const char *format, ...)
{
	va_list list;

	printf("# SEED=%" PRIu64 "%s:\n", seed_now, memory_plan_text());
	va_start(list, format);
	tell(format, list);
	va_end(list);
	fflush(stdout);
	abort();
}

void
sim_tell_all(void)
{
	is_telling = true;
}
