/* Adds up what the workers have counted. */
#include "relay/metrics.h"

const char *const relay_way_words[RELAY_WAYS] = {
	[RELAY_WAY_STATIC] = "static",
	[RELAY_WAY_SEALED] = "sealed",
	[RELAY_WAY_HANDOFF] = "handoff",
};

void
relay_metrics_add(struct relay_metrics_sums *sums, const struct relay_metrics *metrics,
    const struct thread_counter moved[2])
{
	sums->accepted += counter_read(&metrics->accepted);
	sums->flows += counter_read(&metrics->flows);
	sums->attempts_failed += counter_read(&metrics->attempts_failed);
	sums->agents_too_fast += counter_read(&metrics->agents_too_fast);
	sums->taking += counter_read(&metrics->taking);
	sums->sessions += counter_read(&metrics->sessions);
	for (int i = 0; i < RELAY_WAYS; i++)
		sums->joined[i] += counter_read(&metrics->joined[i]);
	for (int i = 0; i < REFUSALS; i++)
		sums->refused[i] += counter_read(&metrics->refused[i]);
	for (int i = 0; i < 2; i++)
		sums->bytes[i] += counter_read(&moved[i]);
	word_counts_sum(&sums->flow_ends, &metrics->flow_ends);
	word_counts_sum(&sums->sessions_refused, &metrics->sessions_refused);
	word_counts_sum(&sums->session_ends, &metrics->session_ends);
	histogram_sum(&sums->channel_wait, &metrics->channel_wait);
	histogram_sum(&sums->hello, &metrics->hello);
	histogram_sum(&sums->ready, &metrics->ready);
	histogram_sum(&sums->duration, &metrics->duration);
	histogram_sum(&sums->handshake, &metrics->handshake);
	histogram_sum(&sums->rtt, &metrics->rtt);
}
