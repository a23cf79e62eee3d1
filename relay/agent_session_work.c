/* A session that is up: its endpoints, and the commands of other workers. */
#include "relay/agent_session.h"

#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/units.h"
#include "pki/identity.h"
#include "relay/agent_session_parts.h"
#include "relay/member.h"
#include "relay/relay.h"
#include "relay/roster.h"
#include "relay/rules.h"
#include "relay/tally.h"

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
	route_withdraw(self->station->relay->routes, self->member, endpoint->pattern, endpoint->number);
	*endpoint = self->endpoints[--self->endpoint_count];
}

static void
refuse(struct agent_session *self, uint32_t number, const char *name, enum code code, const char *sentence)
{
	log_event(LOG_WARNING, "endpoint-refused", sentence, log_str("code", code_word(code)),
	    log_str("agent", identity_name(self->identity)), log_str("server_name", name),
	    log_u64("endpoint", number));
	session_refuse_endpoint(self->session, number, code, sentence);
}

/* Runs in the thread of whoever displaced it. */
static void
on_loss(const struct route_loss *loss)
{
	member_endpoint_lost(loss->member, loss->endpoint, CODE_NAME_TAKEN,
	    "an agent whose certificate has this very name serves it now");
	member_release(loss->member);
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
	log_event(LOG_INFO, "endpoint-up", NULL, log_str("agent", identity_name(self->identity)),
	    log_str("server_name", endpoint->pattern), log_str("name", said->name),
	    log_u64("endpoint", said->endpoint));
	session_accept(self->session, said->endpoint);
}

void
agent_session_announce(struct agent_session *self, const struct frame_announce *said)
{
	struct route_announcement announcement = { .member = self->member, .endpoint = said->endpoint,
	    .pattern = said->server_name, .weight = said->weight, .carriers = said->carriers };
	struct agent_endpoint *before;
	char sentence[SENTENCE_TEXT];
	enum code code;

	if (member_is_retired(self->member))
		return;
	before = find(self, said->endpoint);
	if (before != NULL)
		forget(self, before);
	if (self->endpoint_count >= self->station->rules->settings.limits.endpoints_per_session || !reserve(self)) {
		refuse(self, said->endpoint, said->server_name, CODE_ENDPOINT_LIMIT,
		    "limits.endpoints_per_session of the relay is reached");
		return;
	}
	code = route_announce(self->station->relay->routes, &announcement, sentence, on_loss);
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
	log_event(LOG_INFO, "endpoint-down", NULL, log_str("agent", identity_name(self->identity)),
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

void
agent_session_reserve(struct agent_session *self)
{
	struct routes *routes = self->station->relay->routes;

	for (size_t i = self->endpoint_count; i-- > 0;) {
		if (route_is_reserved(routes, self->endpoints[i].pattern))
			lose_endpoint(self, self->endpoints[i].number, CODE_NAME_RESERVED,
			    "the relay's configuration has taken this name for a static route");
	}
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
	struct roster *roster = self->station->relay->roster;
	char instance[2 * INSTANCE_BYTES + 1];
	struct tally *tally;
	struct member *twin;

	if (!self->probe.armed)
		return;
	timer_clear(&self->probe);
	hex_encode(instance, member_instance(self->member), INSTANCE_BYTES);
	log_event(LOG_WARNING, "duplicate-instance",
	    "two agents run with one instance; give each a state_dir of its own, not a copy",
	    log_str("agent", identity_name(self->identity)), log_str("instance", instance));
	tally = tally_of(self->station->relay->tallies, identity_key(self->identity));
	twin = roster_find_twin(roster, identity_key(self->identity), member_instance(self->member),
	    member_start(self->member), self->member);
	if (tally != NULL && twin != NULL && grant->max_sessions > 0 &&
	    tally_count(tally, TALLY_SESSIONS) > grant->max_sessions)
		member_end(twin, CODE_SESSION_LIMIT, "maxSessions of the grant is reached by a copy of this agent");
	tally_release(tally);
	member_release(twin);
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
agent_session_command(void *arg, const struct member_command *command)
{
	struct agent_session *self = arg;

	switch (command->kind) {
	case MEMBER_NEED:
		self->needed += command->number;
		loop_later(self->station->loop, &self->send_need);
		break;
	case MEMBER_PROBE:
		probe(self);
		break;
	case MEMBER_END:
		agent_session_end(self, command->code, command->sentence);
		break;
	case MEMBER_ENDPOINT_LOST:
		lose_endpoint(self, command->number, command->code, command->sentence);
		break;
	}
}
