/* Counts how many durations lie within which bounds. */
#include "base/histogram.h"

#define MS(n) ((n)*UINT64_C(1000))
#define SECONDS(n) MS((n)*UINT64_C(1000))

const uint64_t histogram_bounds_us[HISTOGRAM_KINDS][HISTOGRAM_BUCKETS - 1] = {
	[HISTOGRAM_SHORT] = { 250, 500, MS(1), 2500, MS(5), MS(10), MS(25), MS(50), MS(100),
	    MS(250), MS(500), SECONDS(1), 2500000, SECONDS(5), SECONDS(10) },
	[HISTOGRAM_LONG] = { MS(10), MS(50), MS(100), MS(500), SECONDS(1), SECONDS(5), SECONDS(10),
	    SECONDS(30), SECONDS(60), SECONDS(300), SECONDS(900), SECONDS(3600), SECONDS(4 * 3600),
	    SECONDS(24 * 3600), SECONDS(7 * 24 * 3600) },
};

void
histogram_add(struct histogram *histogram, enum histogram_kind kind, uint64_t us)
{
	unsigned at = 0;

	while (at < HISTOGRAM_BUCKETS - 1 && us > histogram_bounds_us[kind][at])
		at++;
	counter_add(&histogram->bucket[at], 1);
	counter_add(&histogram->sum_us, us);
}

void
histogram_sum(struct histogram_sum *sum, const struct histogram *histogram)
{
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		uint64_t count = counter_read(&histogram->bucket[i]);

		sum->bucket[i] += count;
		sum->count += count;
	}
	sum->sum_us += counter_read(&histogram->sum_us);
}

uint64_t
histogram_quantile(const struct histogram_sum *sum, enum histogram_kind kind, double part)
{
	const uint64_t *bounds = histogram_bounds_us[kind];
	double wanted = part * (double)sum->count, below = 0;

	if (sum->count == 0)
		return 0;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
		double here = (double)sum->bucket[i];
		uint64_t low = i > 0 ? bounds[i - 1] : 0;

		if (here > 0 && below + here >= wanted)
			return low +
			    (uint64_t)((double)(bounds[i] - low) * (wanted - below) / here);
		below += here;
	}
	return bounds[HISTOGRAM_BUCKETS - 2];
}
