/*
 * How long things take: how many took up to each of some bounds.  Each thread has its own, which it alone
 * adds to (counter.h); whoever wants to know adds up those of all threads.
 *
 *	histogram_add(&worker->ready, us)                in the worker
 *	histogram_sum(&sum, &worker->ready) ...          anywhere: of one worker after the other, from {0}
 *	histogram_quantile(&sum, 0.99)
 */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stdint.h>
#include "base/counter.h"

/* Bounds of what takes no time (a round trip, a handshake), and of what may last for days (a flow); in
 * microseconds, the last one without end. */
enum histogram_kind { HISTOGRAM_SHORT, HISTOGRAM_LONG, HISTOGRAM_KINDS };
enum { HISTOGRAM_BUCKETS = 16 };
extern const uint64_t histogram_bounds_us[HISTOGRAM_KINDS][HISTOGRAM_BUCKETS - 1];

struct histogram {
	struct thread_counter bucket[HISTOGRAM_BUCKETS];
	struct thread_counter sum_us;
};

struct histogram_sum {
	uint64_t bucket[HISTOGRAM_BUCKETS]; /* each for itself, not up to it */
	uint64_t count, sum_us;
};

void histogram_add(struct histogram *, enum histogram_kind, uint64_t us);
/* Adds to the sum; the bounds of both must be of one kind. */
void histogram_sum(struct histogram_sum *, const struct histogram *);
/* Below which that part of all is (0 to 1), in microseconds, evenly spread within a bucket; the last
 * bound where it is beyond; 0 where there are none. */
uint64_t histogram_quantile(const struct histogram_sum *, enum histogram_kind, double part);

#endif
