/* The life of a session. */
#include "relay/agent_session.h"

#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/units.h"
#include "pki/identity.h"
#include "relay/admission.h"
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
	if (self->identity != NULL)
		identity_release(self->identity);
	free(self->endpoints);
	free(self);
}

/* What others could reach it by is gone from this moment on. */
static void
retire(struct agent_session *self)
{
	struct shared *shared = self->worker->shared;

	if (self->session_ref == NULL || session_ref_is_retired(self->session_ref))
		return;
	for (size_t i = 0; i < self->endpoint_count; i++)
		route_withdraw(shared->routes, self->session_ref, self->endpoints[i].pattern, self->endpoints[i].number);
	self->endpoint_count = 0;
	session_table_remove(shared->session_table, self->session_ref);
	session_ref_retire(self->session_ref);
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
	loop_forget(self->worker->loop, &self->send_need);
	admission_leave(self->place);
	self->place = NULL;
	session_free(self->session);
	self->session = NULL;
	loop_later(self->worker->loop, &self->reap);
	worker_shrank(self->worker);
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

	if (self->session_ref != NULL)
		log_audit(LOG_INFO, "session-down", session_error(self->session),
		    log_str("agent", agent),
		    log_str("client", address_text(&self->client, client)),
		    log_str("code", code != CODE_NONE ? code_word(code) : NULL),
		    log_u64("flows", session_ref_flows(self->session_ref)),
		    log_u64("duration_ms", clock_ms() - self->up_ms),
		    log_u64("rtt_us", session_rtt_us(self->session)));
	else if (!self->was_logged)
		log_limited(LOG_INFO, "session-failed", &self->client, session_error(self->session),
		    log_str("agent", agent),
		    log_str("client", address_text(&self->client, client)),
		    log_str("code", code != CODE_NONE ? code_word(code) : NULL));
}

static void
on_drain(struct agent_session *self)
{
	log_event(LOG_INFO, "agent-draining", "the agent takes no new flows",
	    log_str("agent", identity_name(self->identity)), log_u64("flows", session_ref_flows(self->session_ref)));
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
	case SESSION_AGAIN:
		break;	/* an agent's */
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

static bool
enter_admission(struct agent_session *self)
{
	struct shared *shared = self->worker->shared;
	struct prefix block = prefix_block(&self->client, BLOCK_SITE);
	struct admission *queue = recent_peers_has(shared->recent_peers, &block) ? shared->known_peers : shared->unknown_peers;

	self->place = admission_enter(queue, self->worker->loop, &block, on_evicted, self);
	return self->place != NULL;
}

static bool
shake(struct agent_session *self, struct conn *conn)
{
	struct worker_context *worker = self->worker;
	struct tls_hooks hooks = { .judge = agent_session_judge_chain, .arg = self };
	struct stream *stream = stream_socket(conn->fd);
	struct tls_config *config;
	struct tls *tls;

	conn->fd = -1;
	if (stream == NULL || !stream_unread(stream, conn->wire, conn->bytes)) {
		stream_free(stream);
		return false;
	}
	config = rules_session_tls(worker->rules);
	tls = tls_server(config, stream, &hooks);
	tls_config_release(config);
	if (tls == NULL)
		return false;
	self->session = session_new(worker->loop, SESSION_RELAY, tls, worker->rules->settings.limits.handshake_ms,
	    on_session, self);
	return self->session != NULL && enter_admission(self);
}

void
agent_session_start(struct worker_context *worker, struct conn *conn)
{
	struct agent_session *self = calloc(1, sizeof(*self));

	if (self == NULL) {
		conn_wipe(conn);
		return;
	}
	self->worker = worker;
	self->client = conn->client;
	LIST_INSERT_HEAD(&worker->sessions, self, link);
	task_init(&self->reap, reap, self);
	task_init(&self->send_need, agent_session_send_need, self);
	timer_init(&self->not_after, worker->loop, agent_session_watch_end, self);
	timer_init(&self->probe, worker->loop, agent_session_twin_silent, self);
	if (!shake(self, conn))
		cut(self);
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

void
agent_session_drain_all(struct worker_context *worker, uint64_t deadline_ms)
{
	struct agent_session *self;

	LIST_FOREACH(self, &worker->sessions, link) {
		if (self->session_ref != NULL)
			session_drain(self->session, (uint32_t)deadline_ms);
		else
			agent_session_end(self, CODE_DRAINING, "the relay is stopping; connect to another one");
	}
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
}

enum { PROBE_MS = 1000 };

/* ---- endpoints ---- */

static struct agent_endpoint *
find(struct agent_session *self, uint32_t number)
{
	for (size_t i = 0; i < self->endpoint_count; i++) {
		if (self->endpoints[i].number == number)
			return &self->endpoints[i];
	}
	return NULL;
}

static void
forget(struct agent_session *self, struct agent_endpoint *endpoint)
{
	route_withdraw(self->worker->shared->routes, self->session_ref, endpoint->pattern, endpoint->number);
	*endpoint = self->endpoints[--self->endpoint_count];
}

static void
refuse(struct agent_session *self, uint32_t number, const char *name, enum code code, const char *sentence)
{
	log_audit(LOG_WARNING, "endpoint-refused", sentence, log_str("code", code_word(code)),
	    log_str("agent", identity_name(self->identity)), log_str("server_name", name),
	    log_u64("endpoint", number));
	session_refuse_endpoint(self->session, number, code, sentence);
	self->has_reserved |= code == CODE_NAME_RESERVED;
}

/* Runs in the thread of whoever displaced it. */
static void
on_loss(const struct route_loss *loss)
{
	session_ref_endpoint_lost(loss->session_ref, loss->endpoint, CODE_NAME_TAKEN,
	    "an agent whose certificate has this very name serves it now");
	session_ref_release(loss->session_ref);
}

static bool
reserve(struct agent_session *self)
{
	size_t wanted = self->endpoint_capacity ? 2 * self->endpoint_capacity : 4;
	struct agent_endpoint *endpoints;

	if (self->endpoint_count < self->endpoint_capacity)
		return true;
	endpoints = reallocarray(self->endpoints, wanted, sizeof(*endpoints));
	if (endpoints == NULL)
		return false;
	self->endpoints = endpoints;
	self->endpoint_capacity = wanted;
	return true;
}

static void
keep(struct agent_session *self, const struct frame_announce *said)
{
	struct agent_endpoint *endpoint = &self->endpoints[self->endpoint_count++];

	endpoint->number = said->endpoint;
	name_normalise_pattern(endpoint->pattern, said->server_name, strlen(said->server_name));
	log_audit(LOG_INFO, "endpoint-up", NULL, log_str("agent", identity_name(self->identity)),
	    log_str("server_name", endpoint->pattern), log_str("name", said->name),
	    log_u64("endpoint", said->endpoint));
	session_accept(self->session, said->endpoint);
}

/* A session has one endpoint a name, or one agent could take the flows of all others of the set. */
static bool
has_name(const struct agent_session *self, const char *server_name)
{
	char pattern[NAME_SIZE];

	if (!name_normalise_pattern(pattern, server_name, strlen(server_name)))
		return false;
	for (size_t i = 0; i < self->endpoint_count; i++) {
		if (strcmp(self->endpoints[i].pattern, pattern) == 0)
			return true;
	}
	return false;
}

void
agent_session_announce(struct agent_session *self, const struct frame_announce *said)
{
	struct route_announcement announcement = { .session_ref = self->session_ref, .endpoint = said->endpoint,
	    .pattern = said->server_name, .weight = said->weight, .carriers = said->carriers };
	struct agent_endpoint *before;
	char sentence[SENTENCE_TEXT];
	enum code code;

	if (session_ref_is_retired(self->session_ref))
		return;
	before = find(self, said->endpoint);
	if (before != NULL)
		forget(self, before);
	if (has_name(self, said->server_name)) {
		refuse(self, said->endpoint, said->server_name, CODE_NAME_DUPLICATE,
		    "another endpoint of this session has this name; announce it once");
		return;
	}
	if (self->endpoint_count >= self->worker->rules->settings.limits.endpoints_per_session || !reserve(self)) {
		refuse(self, said->endpoint, said->server_name, CODE_ENDPOINT_LIMIT,
		    "limits.endpoints_per_session of the relay is reached");
		return;
	}
	code = route_announce(self->worker->shared->routes, &announcement, sentence, on_loss);
	if (code == CODE_NONE)
		keep(self, said);
	else
		refuse(self, said->endpoint, said->server_name, code, sentence);
}

void
agent_session_withdraw(struct agent_session *self, uint32_t number)
{
	struct agent_endpoint *endpoint = find(self, number);

	if (endpoint == NULL)
		return;
	log_audit(LOG_INFO, "endpoint-down", NULL, log_str("agent", identity_name(self->identity)),
	    log_str("server_name", endpoint->pattern), log_u64("endpoint", number));
	forget(self, endpoint);
}

static void
lose_endpoint(struct agent_session *self, uint32_t number, enum code code, const char *sentence)
{
	struct agent_endpoint *endpoint = find(self, number);
	char name[NAME_SIZE];

	if (endpoint == NULL)
		return;
	memcpy(name, endpoint->pattern, sizeof(name));
	forget(self, endpoint);
	refuse(self, number, name, code, sentence);
}

static void
reserve_again(struct agent_session *self)
{
	struct routes *routes = self->worker->shared->routes;

	for (size_t i = self->endpoint_count; i-- > 0;) {
		if (route_is_reserved(routes, self->endpoints[i].pattern))
			lose_endpoint(self, self->endpoints[i].number, CODE_NAME_RESERVED,
			    "the relay's configuration has taken this name for a static route");
	}
}

/* New rules: names may have been taken, and others given back. */
void
agent_session_obey_rules(struct agent_session *self)
{
	bool had_reserved = self->has_reserved;

	self->has_reserved = false;
	if (had_reserved)
		session_again(self->session, CODE_NAME_RESERVED);
	reserve_again(self);
}

/* ---- a twin: another session of the same identity and instance ---- */

static void
probe(struct agent_session *self)
{
	session_probe(self->session);
	timer_set(&self->probe, PROBE_MS);
}

/* It came back as another process while this one lives on: state_dir was copied. Both stay, within the grant. */
void
agent_session_twin_lives(struct agent_session *self)
{
	const struct grant *grant = identity_grant(self->identity);
	struct session_table *table = self->worker->shared->session_table;
	char instance[2 * INSTANCE_BYTES + 1];
	struct usage *usage;
	struct session_ref *twin;

	if (!self->probe.armed)
		return;
	timer_clear(&self->probe);
	hex_encode(instance, session_ref_instance(self->session_ref), INSTANCE_BYTES);
	log_event(LOG_WARNING, "duplicate-instance",
	    "two agents run with one instance; give each a state_dir of its own, not a copy",
	    log_str("agent", identity_name(self->identity)), log_str("instance", instance));
	usage = usage_of(self->worker->shared->usage_table, identity_key(self->identity));
	twin = session_table_find_twin(table, identity_key(self->identity), session_ref_instance(self->session_ref),
	    session_ref_start(self->session_ref), self->session_ref);
	if (usage != NULL && twin != NULL && grant->max_sessions > 0 &&
	    usage_count(usage, USAGE_SESSIONS) > grant->max_sessions)
		session_ref_end(twin, CODE_SESSION_LIMIT, "maxSessions of the grant is reached by a copy of this agent");
	usage_release(usage);
	session_ref_release(twin);
}

void
agent_session_twin_silent(void *arg)
{
	agent_session_end(arg, CODE_REPLACED, "the same instance has connected again, and this one was silent");
}

/* ---- commands ---- */

void
agent_session_send_need(void *arg)
{
	struct agent_session *self = arg;

	session_need(self->session, self->needed < UINT16_MAX ? (uint16_t)self->needed : UINT16_MAX);
	self->needed = 0;
}

void
agent_session_command(void *arg, const struct session_ref_command *command)
{
	struct agent_session *self = arg;

	switch (command->kind) {
	case SESSION_REF_NEED:
		self->needed += command->number;
		loop_later(self->worker->loop, &self->send_need);
		break;
	case SESSION_REF_PROBE:
		probe(self);
		break;
	case SESSION_REF_END:
		agent_session_end(self, command->code, command->sentence);
		break;
	case SESSION_REF_ENDPOINT_LOST:
		lose_endpoint(self, command->number, command->code, command->sentence);
		break;
	}
}
