/*
 * What the log has of a session and its endpoints.  These are audit events, which
 * log_limited() does not bound, and an agent can bring them about as fast as it can
 * send: so what it does again and again is told once and counted.  In a minute
 *
 *	of refusals	each name and code has one line, and so have at most
 *			AGENT_REFUSALS_MOST of them;
 *	of changes	(up, down) there are as many lines as it takes to change
 *			every endpoint that it ever had, and CHANGES_FREE more.
 *
 * What exceeds that is told as a number when the minute is over, or the session.
 * That a session has a twin is told once, however many come.
 * A session is quiet at first if there were too many of its tenant
 * (relay/session_lines.h); if it lives for a minute it is told that it is up.
 */
#include <string.h>
#include "base/log.h"
#include "base/units.h"
#include "pki/identity.h"
#include "relay/agent_fields.h"
#include "relay/agent_session_private.h"
#include "relay/session_ref.h"

enum { MINUTE_MS = 60000, CHANGES_FREE = 60 };

static void
tell_suppressed(struct agent_session *self)
{
	struct agent_session_lines *lines = &self->lines;

	if (lines->refusals_suppressed + lines->changes_suppressed > 0)
		log_audit(LOG_WARNING, "endpoint-lines-suppressed",
		    "the agent announces and withdraws again and again: look what it runs",
		    log_agent(self->identity), log_u64("refusals", lines->refusals_suppressed),
		    log_u64("changes", lines->changes_suppressed));
}

static void
log_up(const struct agent_session *self, const struct frame_hello *hello)
{
	char client[ADDRESS_TEXT], instance[2 * INSTANCE_BYTES + 1], session[CHANNEL_IDENTITY];
	char ends[TIME_TEXT];
	const struct session_ref *ref = self->session_ref;

	channel_identity(session_ref_session_id(ref), session); /* the id is secret */
	log_audit(LOG_INFO, "session-up", "an agent is connected", log_agent(self->identity),
	    log_str("client", address_text(&self->client, client)), log_str("session", session),
	    log_str("software", hello ? hello->software : NULL),
	    log_str("region", hello && hello->region[0] != '\0' ? hello->region : NULL),
	    log_str("instance", hex_encode(instance, session_ref_instance(ref), INSTANCE_BYTES)),
	    log_str("serial", identity_serial(self->identity)),
	    log_str("not_after", time_text(identity_not_after(self->identity), ends)));
}

static void
on_minute(void *arg)
{
	struct agent_session *self = arg;
	struct agent_session_lines *lines = &self->lines;

	if (self->is_quiet)
		log_up(self, NULL);
	self->is_quiet = false;
	tell_suppressed(self);
	lines->refusal_count = 0;
	lines->changes = 0;
	lines->refusals_suppressed = lines->changes_suppressed = 0;
}

void
agent_session_log_init(struct agent_session *self)
{
	timer_init(&self->lines.minute, self->worker->loop, on_minute, self);
}

void
agent_session_log_end(struct agent_session *self)
{
	if (!self->lines.minute.armed)
		return;
	timer_clear(&self->lines.minute);
	if (!self->is_quiet)
		tell_suppressed(self);
}

static void
begin_minute(struct agent_session *self)
{
	if (!self->lines.minute.armed)
		timer_set(&self->lines.minute, MINUTE_MS);
}

void
agent_session_log_welcome(struct agent_session *self, const struct frame_hello *hello)
{
	if (self->is_quiet)
		begin_minute(self);
	else
		log_up(self, hello);
}

/* Whether there was such a refusal in this minute, or there were too many. */
static bool
was_refused(struct agent_session *self, const char *name, enum code code)
{
	struct agent_session_lines *lines = &self->lines;
	uint64_t hash = table_hash(&self->patterns, name, strlen(name)) + (uint64_t)code;

	begin_minute(self);
	if (self->is_quiet)
		return true;
	for (unsigned i = 0; i < lines->refusal_count; i++)
		if (lines->refusals[i] == hash)
			return true;
	if (lines->refusal_count == AGENT_REFUSALS_MOST)
		return true;
	lines->refusals[lines->refusal_count++] = hash;
	return false;
}

void
agent_session_log_refused(struct agent_session *self, uint32_t number, const char *name,
    enum code code, const char *sentence)
{
	if (was_refused(self, name, code))
		self->lines.refusals_suppressed++;
	else
		log_audit(LOG_WARNING, "endpoint-refused", sentence,
		    log_str("code", code_word(code)), log_agent(self->identity),
		    log_str("server_name", name), log_u64("endpoint", number));
}

static bool
may_tell_change(struct agent_session *self)
{
	struct agent_session_lines *lines = &self->lines;

	begin_minute(self);
	if (self->endpoints.count > lines->endpoints_most)
		lines->endpoints_most = self->endpoints.count;
	if (!self->is_quiet && lines->changes < CHANGES_FREE + 2 * lines->endpoints_most) {
		lines->changes++;
		return true;
	}
	lines->changes_suppressed++;
	return false;
}

void
agent_session_log_up(
    struct agent_session *self, uint32_t number, const char *pattern, const char *name)
{
	if (may_tell_change(self))
		log_audit(LOG_INFO, "endpoint-up", NULL, log_agent(self->identity),
		    log_str("server_name", pattern), log_str("name", name),
		    log_u64("endpoint", number));
}

void
agent_session_log_down(struct agent_session *self, uint32_t number, const char *pattern)
{
	if (may_tell_change(self))
		log_audit(LOG_INFO, "endpoint-down", NULL, log_agent(self->identity),
		    log_str("server_name", pattern), log_u64("endpoint", number));
}

void
agent_session_log_resumed(const struct agent_session *self, size_t count)
{
	if (!self->is_quiet)
		log_audit(LOG_INFO, "endpoints-resumed",
		    "what the agent announced in its session before counts again, name by name",
		    log_agent(self->identity), log_u64("endpoints", count));
}

/* Whoever answers an ACME server may have a certificate made. */
void
agent_session_log_pending(struct agent_session *self, uint32_t number, const char *name)
{
	if (may_tell_change(self))
		log_audit(LOG_INFO, "challenge-pending",
		    "hellos of ACME servers for this name go to this agent",
		    log_agent(self->identity), log_str("server_name", name),
		    log_u64("endpoint", number));
}

void
agent_session_log_twin(struct agent_session *self)
{
	char instance[2 * INSTANCE_BYTES + 1];

	if (self->is_quiet || self->lines.has_told_twin)
		return;
	self->lines.has_told_twin = true;
	hex_encode(instance, session_ref_instance(self->session_ref), INSTANCE_BYTES);
	log_event(LOG_WARNING, "duplicate-instance",
	    "two agents run with one instance; give each a state_dir of its own, not a copy",
	    log_agent(self->identity), log_str("instance", instance));
}
