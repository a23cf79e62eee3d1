/* The life of a session on the relay, its events, and the commands for it. */
#include "relay/agent_session.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/shares.h"
#include "base/socket.h"
#include "pki/identity.h"
#include "relay/agent_fields.h"
#include "relay/agent_session_private.h"
#include "relay/conn.h"
#include "relay/recent_peers.h"
#include "relay/rules.h"
#include "relay/session_ref.h"
#include "relay/session_table.h"
#include "relay/shared.h"
#include "relay/usage.h"
#include "tunnel/tls.h"

static void
reap(void *arg)
{
	struct agent_session *self = arg;

	session_ref_release(self->session_ref);
	if (self->identity)
		identity_release(self->identity);
	agent_session_endpoints_wipe(self);
	free(self->software);
	free(self->region);
	free(self);
}

void
agent_session_move(struct agent_session *self, enum agent_session_state to)
{
	static const unsigned may_move[AGENT_SESSION_STATES] = {
		[AGENT_SESSION_ARRIVING] = 1u << AGENT_SESSION_SERVING | 1u << AGENT_SESSION_GONE,
		[AGENT_SESSION_SERVING] = 1u << AGENT_SESSION_RETIRED,
		[AGENT_SESSION_RETIRED] = 1u << AGENT_SESSION_GONE,
	};
	static const char *const state_name[AGENT_SESSION_STATES] = { "arriving", "serving",
		"retired", "gone" };

	assert(may_move[self->state] & 1u << to);
	log_move(
	    "agent-session", log_object("session", self), state_name[self->state], state_name[to]);
	self->state = to;
}

/* From this moment on nobody can reach the session. */
static void
retire(struct agent_session *self)
{
	struct shared *shared = self->worker->shared;

	if (self->state != AGENT_SESSION_SERVING)
		return;
	agent_session_move(self, AGENT_SESSION_RETIRED);
	agent_session_depart(self);
	session_table_remove(shared->session_table, self->session_ref);
	session_ref_retire(self->session_ref);
}

/* It is gone, and nothing of it is left. */
void
agent_session_departed(struct agent_session *self)
{
	if (self->state != AGENT_SESSION_GONE)
		return;
	LIST_REMOVE(self, link);
	loop_later(self->worker->loop, &self->reap);
}

static void
leave_place(struct agent_session *self)
{
	shares_leave(self->place);
	self->place = NULL;
}

static void
cut(struct agent_session *self)
{
	if (self->state == AGENT_SESSION_GONE)
		return;
	retire(self);
	agent_session_move(self, AGENT_SESSION_GONE);
	agent_session_count_over(self);
	agent_session_log_end(self);
	list_walks_step_over(&self->worker->walks, self, LIST_NEXT(self, link));
	LIST_REMOVE(self, link);
	LIST_INSERT_HEAD(&self->worker->departing, self, link);
	timer_clear(&self->not_after);
	timer_clear(&self->probe);
	agent_session_doubt_end(self);
	leave_place(self);
	recent_peers_leave(self->worker->shared->recent_peers, self->peer);
	self->peer = NULL;
	session_free(self->session);
	self->session = NULL;
	if (!self->is_leaving)
		agent_session_departed(self);
	worker_shrank(self->worker);
}

static void on_displaced(void *arg);

void
agent_session_linger(struct agent_session *self)
{
	struct shared *shared = self->worker->shared;
	struct shares_entrant entrant = { self->worker->loop, &self->client, 0, on_displaced,
		self };
	enum shares_verdict verdict;

	if (self->place)
		return;
	self->place = shares_enter(shared->lingers, &entrant, &verdict);
	if (!self->place)
		memory_short("the place of a session that ends");
}

void
agent_session_end(struct agent_session *self, enum code code, const char *sentence)
{
	session_goodbye(self->session, code, sentence);
	retire(self);
	agent_session_linger(self);
}

/* ---- events ---- */

static void
log_down(const struct agent_session *self)
{
	char client[ADDRESS_TEXT];
	enum code code = session_over_code(self->session);

	if (self->is_quiet)
		return;
	if (self->session_ref && !self->was_logged)
		log_audit(LOG_INFO, "session-down", session_error(self->session),
		    log_agent(self->identity),
		    log_str("client", address_text(&self->client, client)),
		    log_str("code", code != CODE_NONE ? code_word(code) : NULL),
		    log_u64("flows", session_ref_flows(self->session_ref)),
		    log_u64("duration_ms", clock_ms() - self->up_ms),
		    log_u64("rtt_us", session_rtt_us(self->session)));
	else if (!self->was_logged)
		log_limited(LOG_INFO, "session-failed", &self->client, session_error(self->session),
		    log_agent(self->identity),
		    log_str("client", address_text(&self->client, client)),
		    log_str("code", code != CODE_NONE ? code_word(code) : NULL));
}

/* An agent may say so as often as it likes; that is no event. */
static void
on_drain(struct agent_session *self)
{
	if (!self->is_quiet && !self->is_draining)
		log_event(LOG_INFO, "agent-draining", "the agent takes no new flows",
		    log_agent(self->identity),
		    log_u64("flows", session_ref_flows(self->session_ref)));
	self->is_draining = true;
	session_ref_set_draining(self->session_ref);
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
	case SESSION_UNABLE:
		session_ref_set_mute(self->session_ref, true);
		pool_disappoint(session_ref_pool(self->session_ref));
		break;
	case SESSION_PONG:
		agent_session_answers(self);
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
	case SESSION_AGAIN:
	case SESSION_SILENT:
	case SESSION_HEARD:
	case SESSION_RESUMED:
		break; /* only agents get these */
	}
}

static void
on_evicted(void *arg)
{
	struct agent_session *self = arg;
	char client[ADDRESS_TEXT];

	self->was_logged = true;
	log_limited(LOG_INFO, "session-failed", &self->client,
	    "limits.handshakes is reached, and most of them come from here",
	    log_str("code", "over-limit"), log_str("client", address_text(&self->client, client)));
	cut(self);
}

static void
displace(void *arg)
{
	struct agent_session *self = arg;

	if (self->state == AGENT_SESSION_GONE)
		return;
	log_down(self);
	cut(self);
}

/* Its last word goes out before, because that was asked for first. */
static void
on_displaced(void *arg)
{
	struct agent_session *self = arg;

	agent_session_twin_silent(self); /* if it was only asked whether it lives */
	loop_later(self->worker->loop, &self->displacing);
}

static bool
enter_admission(struct agent_session *self, bool is_known_peer)
{
	struct shared *shared = self->worker->shared;
	struct shares_entrant entrant = { self->worker->loop, &self->client, 0, on_evicted, self };
	enum shares_verdict verdict;
	struct shares *queue = is_known_peer ? shared->known_peers : shared->unknown_peers;

	self->place = shares_enter(queue, &entrant, &verdict);
	return self->place != NULL;
}

static bool
shake(struct agent_session *self, struct conn *conn)
{
	struct worker_context *worker = self->worker;
	struct tls_hooks hooks = { .judge = agent_session_judge_chain, .arg = self };
	struct stream *stream = stream_socket(conn->fd);
	struct heavy_party party = recent_peers_party(conn->is_known_peer, &self->client);
	struct tls_config *config;
	struct tls *tls;

	conn->fd = -1;
	if (!stream || !stream_unread(stream, conn->wire, conn->bytes)) {
		stream_free(stream);
		return false;
	}
	config = rules_session_tls(worker->rules);
	tls = tls_server(config, stream, &hooks);
	tls_config_release(config);
	if (!tls)
		return false;
	tls_set_party(tls, &party);
	self->session = session_new(worker->loop, SESSION_RELAY, tls,
	    worker->rules->settings.limits.handshake_ms, on_session, self);
	return self->session && enter_admission(self, conn->is_known_peer);
}

static const char lost_session[] = "an agent's session that was just accepted";

void
agent_session_start(struct worker_context *worker, struct conn *conn)
{
	struct agent_session *self = calloc(1, sizeof *self);

	if (!self) {
		memory_short(lost_session);
		conn_wipe(conn);
		return;
	}
	self->worker = worker;
	self->begun_us = clock_us();
	self->client = conn_client(conn);
	LIST_INSERT_HEAD(&worker->sessions, self, link);
	task_init(&self->reap, reap, self);
	task_init(&self->displacing, displace, self);
	timer_init(&self->not_after, worker->loop, agent_session_watch_end, self);
	agent_session_log_init(self);
	agent_session_resume_init(self);
	timer_init(&self->probe, worker->loop, agent_session_twin_silent, self);
	agent_session_doubt_init(self);
	socket_allow_no_pauses(conn->fd);
	if (!agent_session_endpoints_init(self) || !shake(self, conn)) {
		memory_short(lost_session);
		cut(self);
	}
	conn_wipe(conn);
}

/* ---- all of a worker ---- */

void
agent_session_judge_all(struct worker_context *worker, struct trust *trust, int64_t now)
{
	struct agent_session *self;

	LIST_FOREACH(self, &worker->sessions, link)
		agent_session_judge(self, trust, now);
}

struct agent_session_counts
agent_session_count_all(const struct worker_context *worker)
{
	struct agent_session_counts counts = { 0 };
	const struct agent_session *self;

	LIST_FOREACH(self, &worker->sessions, link) {
		if (!self->session_ref || self->state == AGENT_SESSION_GONE)
			continue;
		counts.sessions++;
		counts.endpoints += self->endpoints.count;
		counts.channels += pool_parked(session_ref_pool(self->session_ref));
		counts.waiting += pool_waiting(session_ref_pool(self->session_ref));
	}
	return counts;
}

void
agent_session_drain_all(struct worker_context *worker, uint64_t deadline_ms)
{
	const struct frame_drain drain = { .deadline_ms = (uint32_t)deadline_ms };
	struct agent_session *self;

	LIST_FOREACH(self, &worker->sessions, link) {
		if (self->session_ref) {
			session_drain(self->session, &drain);
			pool_drain(session_ref_pool(self->session_ref));
		} else {
			agent_session_end(
			    self, CODE_DRAINING, "the relay is stopping; connect to another one");
		}
	}
}

void
agent_session_move_all(struct worker_context *worker, uint64_t spread_ms)
{
	uint8_t storage[16];
	struct writer facts = writer_over(storage, sizeof storage);
	struct frame_drain drain = { .deadline_ms = (uint32_t)spread_ms };
	struct agent_session *self;

	facts_put(&facts, FACT_MOVE, "", 0);
	drain.facts = facts_of(&facts);
	LIST_FOREACH(self, &worker->sessions, link)
		if (self->session_ref && self->can_move)
			session_drain(self->session, &drain);
}

void
agent_session_end_all(struct worker_context *worker, enum code code, const char *sentence)
{
	struct agent_session *self;

	LIST_FOREACH(self, &worker->sessions, link)
		agent_session_end(self, code, sentence);
}

void
agent_session_obey_rules_all(struct worker_context *worker)
{
	struct agent_session *self;

	LIST_FOREACH(self, &worker->sessions, link)
		agent_session_obey_rules(self);
}

void
agent_session_cut_all(struct worker_context *worker)
{
	while (!LIST_EMPTY(&worker->sessions))
		cut(LIST_FIRST(&worker->sessions));
	while (!LIST_EMPTY(&worker->departing))
		agent_session_depart_now(LIST_FIRST(&worker->departing));
}

enum { PROBE_MS = 1000, SUCCESSION_MS = 5000 };

/* ---- a twin: another session of the same identity and instance ---- */

static void
probe(struct agent_session *self)
{
	if (!session_ref_has_place(self->session_ref))
		agent_session_linger(self);
	session_probe(self->session);
	if (!self->probe.armed) /* who comes again and again does not put the end off */
		timer_set(&self->probe, PROBE_MS);
}

/* Until the agent has its names in the session that follows, and says goodbye in this one. */
static void
be_succeeded(struct agent_session *self)
{
	if (self->is_succeeded)
		return;
	self->is_succeeded = true;
	agent_session_linger(self);
	timer_set(&self->probe, SUCCESSION_MS);
}

/* The newcomer has our place in the limits. We stay, and it too if there is room for both. */
static void
share_with_twin(struct agent_session *self)
{
	struct session_ref *ref = self->session_ref;
	struct session_ref *twin = session_table_find_twin(self->worker->shared->session_table,
	    identity_key(self->identity), session_ref_instance(ref), session_ref_start(ref), ref);
	char why[USAGE_WHY];
	bool taken;

	if (!session_ref_regain_place(ref, twin, &taken, why)) {
		agent_session_end(self, CODE_SESSION_LIMIT, why);
	} else {
		leave_place(self);
		if (taken)
			session_ref_end(twin, CODE_SESSION_LIMIT, why);
	}
	session_ref_release(twin);
}

/* Another process has the same instance while this one lives on, so state_dir was copied. */
void
agent_session_twin_lives(struct agent_session *self)
{
	if (!self->probe.armed || self->is_succeeded)
		return;
	timer_clear(&self->probe);
	session_ref_set_suspect(self->session_ref, false);
	agent_session_log_twin(self);
	share_with_twin(self);
}

void
agent_session_twin_silent(void *arg)
{
	struct agent_session *self = arg;

	agent_session_end(self, CODE_REPLACED,
	    self->is_succeeded ? "the same process has connected again"
			       : "the same instance has connected again, and this one was silent");
}

/* ---- commands ---- */

/* Somebody with less needs the places. */
static void
yield(struct agent_session *self)
{
	char why[USAGE_WHY];

	agent_session_yield_endpoints(self);
	if (usage_owes(session_ref_usage(self->session_ref), USAGE_SESSIONS, why))
		agent_session_end(self, CODE_SESSION_LIMIT, why);
}

void
agent_session_command(void *arg, const struct session_ref_command *command)
{
	struct agent_session *self = arg;

	switch (command->kind) {
	case SESSION_REF_NEED:
		session_need(self->session, command->channels);
		break;
	case SESSION_REF_PROBE:
		probe(self);
		break;
	case SESSION_REF_SUCCEEDED:
		be_succeeded(self);
		break;
	case SESSION_REF_DOUBT:
		agent_session_doubt(self);
		break;
	case SESSION_REF_YIELD:
		yield(self);
		break;
	case SESSION_REF_END:
		agent_session_end(self, command->code, command->sentence);
		break;
	}
}
