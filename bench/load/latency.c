/*
 * A histogram: 32 classes for each power of two, see latency.h.
 */
#include "bench/load/latency.h"

#include <string.h>

enum { PER_POWER = 32, POWERS = 40 };

static uint64_t classes[POWERS * PER_POWER], count;

static unsigned
class_of(uint64_t us)
{
	if (us < PER_POWER)
		return (unsigned)us;
	unsigned power = 63 - (unsigned)__builtin_clzll(us) - 5; /* 32 <= us >> power < 64 */
	unsigned class = (power + 1) * PER_POWER + (unsigned)(us >> power) - PER_POWER;
	return class < POWERS * PER_POWER ? class : POWERS * PER_POWER - 1;
}

/* The middle of a class. */
static double
value_of(unsigned class)
{
	if (class < PER_POWER)
		return class;
	unsigned power = class / PER_POWER - 1;
	return ((double)(class % PER_POWER + PER_POWER) + 0.5) * (double)(1ull << power);
}

void
latency_add(uint64_t us)
{
	classes[class_of(us)]++;
	count++;
}

void
latency_clear(void)
{
	memset(classes, 0, sizeof classes);
	count = 0;
}

uint64_t
latency_count(void)
{
	return count;
}

double
latency_quantile(double part)
{
	uint64_t below = 0;
	for (unsigned class = 0; class < POWERS * PER_POWER; class ++) {
		below += classes[class];
		if (below && (double)below >= part * (double)count)
			return value_of(class);
	}
	return 0;
}
