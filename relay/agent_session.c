/* The life of a session. */
#include "relay/agent_session.h"

#include <stdlib.h>
#include "base/clock.h"
#include "base/log.h"
#include "pki/identity.h"
#include "relay/agent_session_parts.h"
#include "relay/crowd.h"
#include "relay/known.h"
#include "relay/member.h"
#include "relay/relay.h"
#include "relay/roster.h"
#include "relay/rules.h"
#include "relay/visit.h"
#include "tunnel/tls.h"

static void
reap(void *arg)
{
	struct agent_session *self = arg;

	member_release(self->member);
	if (self->identity != NULL)
		identity_release(self->identity);
	free(self->endpoints);
	free(self);
}

/* What others could reach it by is gone from this moment on. */
static void
retire(struct agent_session *self)
{
	struct relay *relay = self->station->relay;

	if (self->member == NULL || member_is_retired(self->member))
		return;
	for (size_t i = 0; i < self->endpoint_count; i++)
		route_withdraw(relay->routes, self->member, self->endpoints[i].pattern, self->endpoints[i].number);
	self->endpoint_count = 0;
	roster_remove(relay->roster, self->member);
	member_retire(self->member);
}

static void
cut(struct agent_session *self)
{
	if (self->is_gone)
		return;
	self->is_gone = true;
	retire(self);
	LIST_REMOVE(self, link);
	timer_clear(&self->not_after);
	timer_clear(&self->probe);
	loop_forget(self->station->loop, &self->send_need);
	crowd_leave(self->place);
	self->place = NULL;
	session_free(self->session);
	self->session = NULL;
	loop_later(self->station->loop, &self->reap);
	station_check(self->station);
}

void
agent_session_end(struct agent_session *self, enum code code, const char *sentence)
{
	session_goodbye(self->session, code, sentence);
	retire(self);
}

/* ---- events ---- */

static void
log_down(const struct agent_session *self)
{
	char client[ADDRESS_TEXT];
	enum code code = session_over_code(self->session);
	const char *agent = self->identity != NULL ? identity_name(self->identity) : NULL;

	if (self->member != NULL)
		log_event(LOG_INFO, "session-down", session_error(self->session),
		    log_str("agent", agent),
		    log_str("client", address_text(&self->client, client)),
		    log_str("code", code != CODE_NONE ? code_word(code) : NULL),
		    log_u64("flows", member_flows(self->member)),
		    log_u64("duration_ms", clock_ms() - self->up_ms),
		    log_u64("rtt_us", session_rtt_us(self->session)));
	else if (!self->was_logged)
		log_event(LOG_INFO, "session-failed", session_error(self->session),
		    log_str("agent", agent),
		    log_str("client", address_text(&self->client, client)),
		    log_str("code", code != CODE_NONE ? code_word(code) : NULL));
}

static void
on_drain(struct agent_session *self)
{
	log_event(LOG_INFO, "agent-draining", "the agent takes no new flows",
	    log_str("agent", identity_name(self->identity)), log_u64("flows", member_flows(self->member)));
	member_set_draining(self->member);
}

static void
on_session(void *arg, enum session_event event, const union session_frame *frame)
{
	struct agent_session *self = arg;

	switch (event) {
	case SESSION_HELLO:
		agent_session_greet(self, &frame->hello);
		break;
	case SESSION_ANNOUNCE:
		agent_session_announce(self, &frame->announce);
		break;
	case SESSION_WITHDRAW:
		agent_session_withdraw(self, frame->withdraw.endpoint);
		break;
	case SESSION_DRAIN:
		on_drain(self);
		break;
	case SESSION_PONG:
		agent_session_twin_lives(self);
		break;
	case SESSION_OVER:
		log_down(self);
		cut(self);
		break;
	case SESSION_WELCOME:
	case SESSION_ACCEPTED:
	case SESSION_REFUSED:
	case SESSION_NEED:
		break;	/* an agent's */
	}
}

static void
on_evicted(void *arg)
{
	struct agent_session *self = arg;
	char client[ADDRESS_TEXT];

	self->was_logged = true;
	log_event(LOG_INFO, "session-failed", "limits.handshakes is reached, and most of them come from here",
	    log_str("code", "over-limit"), log_str("client", address_text(&self->client, client)));
	cut(self);
}

static bool
enter_crowd(struct agent_session *self)
{
	struct relay *relay = self->station->relay;
	struct prefix block = prefix_block(&self->client, BLOCK_SITE);
	struct crowd *crowd = known_has(relay->known, &block) ? relay->acquaintances : relay->strangers;

	self->place = crowd_enter(crowd, self->station->loop, &block, on_evicted, self);
	return self->place != NULL;
}

static bool
shake(struct agent_session *self, struct visit *visit)
{
	struct station *station = self->station;
	struct tls_hooks hooks = { .judge = agent_session_judge_chain, .arg = self };
	struct stream *stream = stream_socket(visit->fd);
	struct tls_config *config;
	struct tls *tls;

	visit->fd = -1;
	if (stream == NULL || !stream_unread(stream, visit->wire, visit->bytes)) {
		stream_free(stream);
		return false;
	}
	config = rules_session_tls(station->rules);
	tls = tls_server(config, stream, &hooks);
	tls_config_release(config);
	if (tls == NULL)
		return false;
	self->session = session_new(station->loop, SESSION_RELAY, tls, station->rules->settings.limits.handshake_ms,
	    on_session, self);
	return self->session != NULL && enter_crowd(self);
}

void
agent_session_start(struct station *station, struct visit *visit)
{
	struct agent_session *self = calloc(1, sizeof(*self));

	if (self == NULL) {
		visit_wipe(visit);
		return;
	}
	self->station = station;
	self->client = visit->client;
	LIST_INSERT_HEAD(&station->sessions, self, link);
	task_init(&self->reap, reap, self);
	task_init(&self->send_need, agent_session_send_need, self);
	timer_init(&self->not_after, station->loop, agent_session_watch_end, self);
	timer_init(&self->probe, station->loop, agent_session_twin_silent, self);
	if (!shake(self, visit))
		cut(self);
	visit_wipe(visit);
}

/* ---- all of a station ---- */

void
agent_session_judge_all(struct station *station, struct trust *trust, int64_t now)
{
	struct agent_session *self;

	LIST_FOREACH(self, &station->sessions, link)
		agent_session_judge(self, trust, now);
}

void
agent_session_drain_all(struct station *station, uint64_t deadline_ms)
{
	struct agent_session *self;

	LIST_FOREACH(self, &station->sessions, link) {
		if (self->member != NULL)
			session_drain(self->session, (uint32_t)deadline_ms);
		else
			agent_session_end(self, CODE_DRAINING, "the relay is stopping; connect to another one");
	}
}

void
agent_session_end_all(struct station *station, enum code code, const char *sentence)
{
	struct agent_session *self;

	LIST_FOREACH(self, &station->sessions, link)
		agent_session_end(self, code, sentence);
}

void
agent_session_reserve_all(struct station *station)
{
	struct agent_session *self;

	LIST_FOREACH(self, &station->sessions, link)
		agent_session_reserve(self);
}

void
agent_session_cut_all(struct station *station)
{
	while (!LIST_EMPTY(&station->sessions))
		cut(LIST_FIRST(&station->sessions));
}
