/* Adds up what the workers have counted. */
#include "agent/metrics.h"

void
agent_metrics_add(struct agent_metrics_sums *sums, const struct agent_metrics *metrics,
    const struct thread_counter moved[2])
{
	sums->flows += counter_read(&metrics->flows);
	sums->joined += counter_read(&metrics->joined);
	for (int i = 0; i < 2; i++)
		sums->bytes[i] += counter_read(&moved[i]);
	word_counts_sum(&sums->flow_ends, &metrics->flow_ends);
	histogram_sum(&sums->ready, &metrics->ready);
	histogram_sum(&sums->handshake, &metrics->handshake);
	histogram_sum(&sums->duration, &metrics->duration);
}
