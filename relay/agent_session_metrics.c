/* Counts what becomes of sessions, in the metrics of their worker. */
#include "base/clock.h"
#include "relay/agent_session_private.h"

void
agent_session_count_up(struct agent_session *self)
{
	struct relay_metrics *metrics = &self->worker->metrics;

	counter_add(&metrics->sessions, 1);
	histogram_add(&metrics->handshake, HISTOGRAM_SHORT, clock_us() - self->begun_us);
	session_count_rtt(self->session, &metrics->rtt);
}

void
agent_session_count_refused(const struct agent_session *self, const char *code)
{
	word_counts_add(&self->worker->metrics.sessions_refused, code);
}

void
agent_session_count_over(const struct agent_session *self)
{
	enum code code = self->session ? session_over_code(self->session) : CODE_NONE;

	if (self->session_ref)
		word_counts_add(&self->worker->metrics.session_ends,
		    code != CODE_NONE ? code_word(code) : "lost");
}
