/*
 * Suspicion.  A NAT that has lost its memory swallows what comes on the connections of before, the
 * session and all parked channels alike, and nobody hears of it until a heartbeat is missed.  The
 * first flow that gets no answer knows better.
 *
 *	doubted --> asked --> answered                          it was that channel alone
 *	              `-----> silent (2 s) --> asked --> ...    it is the way, or the agent
 *
 * What is parked is distrusted at once (pool.h).  A session that is silent goes on: it may answer late,
 * and if its agent opens another one, that takes its place and its waiters look again.
 *
 * Shared by:     all flows of the session's endpoints.
 * Bound:         one question at a time, and one a second; what is parked is asked once in 5 s.
 * Who leaves:    nobody: whoever doubts meanwhile has the same answer.
 */
#include "base/clock.h"
#include "base/log.h"
#include "relay/agent_fields.h"
#include "relay/agent_session_private.h"
#include "relay/session_ref.h"

enum { ANSWER_MS = 2000, ASK_EVERY_MS = 1000, DISTRUST_EVERY_MS = 5000 };

static void
log_silent(const struct agent_session *self)
{
	char client[ADDRESS_TEXT];

	if (!self->is_quiet)
		log_limited(LOG_WARNING, "session-silent", &self->client,
		    "the agent answers neither a flow nor a ping; its flows go to others or wait",
		    log_agent(self->identity),
		    log_str("client", address_text(&self->client, client)),
		    log_u64("flows", session_ref_flows(self->session_ref)));
}

static void
log_answers(const struct agent_session *self)
{
	char client[ADDRESS_TEXT];

	if (!self->is_quiet)
		log_limited(LOG_INFO, "session-answers", &self->client, "the agent answers again",
		    log_agent(self->identity),
		    log_str("client", address_text(&self->client, client)),
		    log_u64("silent_ms", clock_ms() - self->first_asked_ms));
}

static void
on_silence(void *arg)
{
	struct agent_session *self = arg;

	session_ref_was_silent(self->session_ref, self->asked_ms);
	if (!self->is_silent)
		log_silent(self);
	self->is_silent = true;
}

static void
ask(struct agent_session *self, uint64_t now)
{
	self->asked_ms = now;
	if (self->first_asked_ms == 0)
		self->first_asked_ms = now;
	timer_set(&self->silence, ANSWER_MS);
	session_probe(self->session);
}

static void
distrust(struct agent_session *self, uint64_t now)
{
	if (self->distrusted_ms > 0 && now < self->distrusted_ms + DISTRUST_EVERY_MS)
		return;
	self->distrusted_ms = now;
	pool_distrust(session_ref_pool(self->session_ref));
}

void
agent_session_doubt(struct agent_session *self)
{
	uint64_t now = clock_ms();

	if (self->state != AGENT_SESSION_SERVING)
		return;
	distrust(self, now);
	if (self->silence.armed)
		return;
	if (self->answered_ms > 0 && now < self->answered_ms + ASK_EVERY_MS)
		session_ref_answered(self->session_ref, self->answered_ms);
	else
		ask(self, now);
}

void
agent_session_answers(struct agent_session *self)
{
	if (self->first_asked_ms == 0)
		return;
	timer_clear(&self->silence);
	if (self->is_silent)
		log_answers(self);
	self->is_silent = false;
	self->answered_ms = self->first_asked_ms;
	self->first_asked_ms = 0;
	session_ref_answered(self->session_ref, self->answered_ms);
}

void
agent_session_doubt_init(struct agent_session *self)
{
	timer_init(&self->silence, self->worker->loop, on_silence, self);
}

void
agent_session_doubt_end(struct agent_session *self)
{
	timer_clear(&self->silence);
}
