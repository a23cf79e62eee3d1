/* Judges certificates and hellos: which sessions may come in, and which may stay. */
#include "relay/agent_session.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/shares.h"
#include "base/units.h"
#include "pki/verify.h"
#include "relay/agent_fields.h"
#include "relay/agent_session_private.h"
#include "relay/recent_peers.h"
#include "relay/session_lines.h"
#include "relay/session_ref.h"
#include "relay/shared.h"
#include "relay/session_table.h"
#include "relay/rules.h"
#include "relay/trustwatch.h"

enum {
	HEARTBEAT_MS = 10000,
	ALERT_INTERNAL_ERROR = 80,
	HEARTBEAT_LEAST_MS = 1000,
	HEARTBEAT_MOST_MS = 60000,
	LOOK_AGAIN_MS = 3600 * 1000,
	WELCOME_FACTS = 64,
};

/* ---- the certificate ---- */

/* What the relay lacks is no fault of the certificate, and passes: the agent is to come again. */
static bool
is_of_relay(enum verify_code code)
{
	return code == VERIFY_CRL_MISSING || code == VERIFY_CRL_EXPIRED ||
	    code == VERIFY_CRL_REFUSED || code == VERIFY_CLOCK_DOUBTED || code == VERIFY_INTERNAL;
}

static unsigned
alert_of(const struct verdict *verdict)
{
	return is_of_relay(verdict->code) ? ALERT_INTERNAL_ERROR : verdict->alert;
}

static void
log_verdict(const struct agent_session *self, const struct verdict *verdict)
{
	char client[ADDRESS_TEXT];
	const struct log_field fields[] = {
		log_str("code", verify_code_word(verdict->code)),
		log_str("client", address_text(&self->client, client)),
		log_u64("alert", alert_of(verdict)),
		log_i64("certificate", verdict->position),
		{ 0 },
	};

	log_write_judged(LOG_WARNING, "agent-refused", &self->client,
	    verdict->is_vouched ? verdict->party : 0, verdict->sentence, fields);
}

unsigned
agent_session_judge_chain(void *arg, const struct tls_certificate *chain, size_t count)
{
	struct agent_session *self = arg;
	struct trust *trust = trustwatch_trust(self->worker->shared->trustwatch);
	struct verdict verdict = { .code = VERIFY_UNKNOWN_CA,
		.alert = 48,
		.position = -1,
		.sentence = "the relay trusts no CA for agents; give connect.agent_cas" };
	struct der der[VERIFY_CHAIN];

	if (count > VERIFY_CHAIN)
		count = VERIFY_CHAIN;
	for (size_t i = 0; i < count; i++)
		der[i] = (struct der){ chain[i].data, chain[i].bytes };
	if (trust) {
		self->identity =
		    verify_chain(trust, ROLE_AGENT, der, count, NULL, clock_wall_s(), &verdict);
		trust_release(trust);
	}
	if (self->identity)
		return 0;
	self->was_logged = true;
	agent_session_count_refused(self, verify_code_word(verdict.code));
	log_verdict(self, &verdict);
	return alert_of(&verdict);
}

static enum code
code_of(enum verify_code code)
{
	if (is_of_relay(code))
		return CODE_INTERNAL;
	if (code == VERIFY_REVOKED)
		return CODE_CERTIFICATE_REVOKED;
	return code == VERIFY_EXPIRED ? CODE_CERTIFICATE_EXPIRED : CODE_CERTIFICATE_REFUSED;
}

void
agent_session_judge(struct agent_session *self, struct trust *trust, int64_t now)
{
	struct verdict verdict;

	if (!self->identity || identity_judge_again(self->identity, trust, now, &verdict))
		return;
	log_verdict(self, &verdict);
	if (self->session_ref && verdict.code != VERIFY_EXPIRED)
		session_ref_banish(self->session_ref);
	agent_session_end(self, code_of(verdict.code), verdict.sentence);
}

/* Somebody may set the wall clock, so an end that is far off is looked at again every hour. */
void
agent_session_watch_end(void *arg)
{
	struct agent_session *self = arg;
	int64_t left_s = identity_not_after(self->identity) - clock_wall_s();

	if (left_s < 0)
		agent_session_end(self, CODE_CERTIFICATE_EXPIRED,
		    "the agent's certificate, or one of its CAs, has ended; renew it");
	else
		timer_set(&self->not_after,
		    left_s < LOOK_AGAIN_MS / 1000 ? (uint64_t)(left_s + 1) * 1000 : LOOK_AGAIN_MS);
}

/* ---- admission ---- */

static void
refuse(struct agent_session *self, enum code code, const char *sentence)
{
	char client[ADDRESS_TEXT];

	self->was_logged = true;
	if (!self->is_quiet)
		log_audit(LOG_WARNING, "session-refused", sentence,
		    log_str("code", code_word(code)),
		    log_str("client", address_text(&self->client, client)),
		    log_agent(self->identity));
	agent_session_count_refused(self, code_word(code));
	session_refuse(self->session, code, sentence);
	agent_session_linger(self);
}

/* With what was seen, since an agent behind others' routers does not know under which address it comes. */
static void
refuse_source(struct agent_session *self)
{
	enum { SHOWN = 3 };
	const struct grant *grant = identity_grant(self->identity);
	char sentence[SENTENCE_TEXT], text[ADDRESS_TEXT];
	size_t shown = grant->source_count < SHOWN ? grant->source_count : SHOWN, used;

	used = (size_t)snprintf(sentence, sizeof sentence,
	    "this session comes from %s, and the grant allows",
	    address_host_text(&self->client, text));
	for (size_t i = 0; i < shown; i++)
		used += (size_t)snprintf(sentence + used, sizeof sentence - used, "%s %s",
		    i > 0 ? "," : "", prefix_text(&grant->sources[i], text));
	if (grant->source_count > shown)
		used += (size_t)snprintf(sentence + used, sizeof sentence - used, " and %zu more",
		    grant->source_count - shown);
	snprintf(sentence + used, sizeof sentence - used,
	    " only; connect from there, perhaps by the other family (agent.source)");
	refuse(self, CODE_SOURCE_REFUSED, sentence);
}

static bool
is_welcome_here(struct agent_session *self)
{
	const struct settings *settings = &self->worker->rules->settings;

	if (self->worker->draining)
		refuse(self, CODE_DRAINING, "the relay is stopping; connect to another one");
	else if (!identity_allows_source(self->identity, &self->client.as.any))
		refuse_source(self);
	else if (!identity_allows_region(self->identity, settings->region ? settings->region : ""))
		refuse(self, CODE_SOURCE_REFUSED,
		    "the grant does not allow this relay's region; connect to a relay in one of its regions");
	else
		return true;
	return false;
}

static uint32_t
heartbeat_of(const struct frame_hello *hello)
{
	uint32_t wanted_ms = hello->heartbeat_ms ? hello->heartbeat_ms : HEARTBEAT_MS;

	if (wanted_ms < HEARTBEAT_LEAST_MS)
		return HEARTBEAT_LEAST_MS;
	return wanted_ms < HEARTBEAT_MOST_MS ? wanted_ms : HEARTBEAT_MOST_MS;
}

/* Everything that can fail comes before the welcome; the key is there before the agent can use it. */
static bool
enrol(struct agent_session *self, const struct frame_hello *hello, struct usage *usage)
{
	struct worker_context *worker = self->worker;
	const struct settings *settings = &worker->rules->settings;
	struct session_ref_settings facts = { .loop = worker->loop,
		.identity = self->identity,
		.usage = usage,
		.pool_most = settings->pool_most,
		.version = session_version(self->session),
		.on_command = agent_session_command,
		.arg = self };
	struct secret key = { 0 };
	bool fine;

	arc4random_buf(facts.session_id, sizeof facts.session_id);
	memcpy(facts.instance, hello->instance, sizeof facts.instance);
	memcpy(facts.start, hello->start, sizeof facts.start);
	self->session_ref = session_ref_new(&facts);
	if (!self->session_ref) {
		usage_leave(usage, USAGE_SESSIONS);
		usage_release(usage);
		return false;
	}
	fine = session_channel_key(self->session, facts.session_id, &key) &&
	    session_table_add(worker->shared->session_table, self->session_ref, &key);
	secret_wipe(&key);
	if (!fine)
		session_ref_retire(self->session_ref);
	return fine;
}

static void
welcome(struct agent_session *self, const struct frame_hello *hello)
{
	const struct settings *settings = &self->worker->rules->settings;
	struct frame_welcome welcome = { .features = self->features,
		.heartbeat_ms = heartbeat_of(hello),
		.tolerance_ms = (uint32_t)settings->tolerance_ms,
		.pool_least = (uint16_t)settings->pool_least,
		.pool_most = (uint16_t)settings->pool_most,
		.clock_s = clock_wall_s(),
		.is_resuming = self->resume.is_offered };
	const uint16_t place = htons(return_places_next(&self->worker->shared->return_places));
	uint8_t storage[WELCOME_FACTS];
	struct writer facts = writer_over(storage, sizeof storage);

	facts_put(&facts, FACT_PLACE, &place, sizeof place);
	welcome.facts = facts_of(&facts);
	memcpy(welcome.session_id, session_ref_session_id(self->session_ref),
	    sizeof welcome.session_id);
	snprintf(
	    welcome.relay, sizeof welcome.relay, "%.*s", SHORT_TEXT - 1, settings->connect_pattern);
	session_welcome(self->session, &welcome);
}

/* An agent that can move ends the session before itself, once its names are accepted in this one: until then
 * they are found there, where nobody else has them.  What it offers to resume has to leave first. */
static bool
is_left_by_agent(const struct agent_session *self, const struct session_ref *twin)
{
	return self->can_move && !self->resume.is_offered && !session_ref_is_suspect(twin);
}

/* A twin of the same process is replaced at once, which is told, or when its agent is ready; any other is
 * asked whether it lives. */
static bool
face_twin(struct agent_session *self, struct session_ref *twin)
{
	bool is_same, is_left;

	if (!twin)
		return false;
	is_same =
	    memcmp(session_ref_start(twin), session_ref_start(self->session_ref), START_BYTES) == 0;
	is_left = is_same && is_left_by_agent(self, twin);
	if (is_same && !is_left) {
		session_ref_set_draining(twin);
		session_ref_end(twin, CODE_REPLACED, "the same process has connected again");
		return true;
	}
	session_ref_set_suspect(twin, true);
	if (is_left)
		session_ref_succeed(twin);
	else
		session_ref_probe(twin);
	return false;
}

/* For lists; NULL: it says nothing, or memory is short. */
static char *
keep_text(const char *text)
{
	char *kept = text[0] ? strdup(text) : NULL;

	if (text[0] && !kept)
		memory_short("what an agent calls itself, in lists");
	return kept;
}

/* Adopts the usage. The newcomer takes its twin's place in the limits, unless both turn out to live: see
 * agent_session_twin_lives(). */
static void
admit(struct agent_session *self, const struct frame_hello *hello, struct usage *usage)
{
	struct shared *shared = self->worker->shared;
	char why[USAGE_WHY];
	struct session_ref *twin = session_table_find_twin(shared->session_table,
	    identity_key(self->identity), hello->instance, hello->start, NULL);

	if (!session_ref_take_place(twin, usage, why)) {
		usage_release(usage);
		refuse(self, CODE_SESSION_LIMIT, why);
	} else if (!enrol(self, hello, usage)) {
		refuse(self, CODE_BUSY, "memory is short on the relay; try again");
		if (twin)
			session_ref_probe(twin); /* it gets its place back if it lives */
	} else {
		agent_session_move(self, AGENT_SESSION_SERVING);
		self->features = hello->features & FEATURE_HANDOFF;
		self->software = keep_text(hello->software);
		self->region = keep_text(hello->region);
		self->is_dry_run = facts_find(hello->facts, FACT_DRY_RUN, &(struct cursor){ 0 });
		self->can_move = (hello->features & FEATURE_MOVE) && !self->is_dry_run &&
		    session_version(self->session) >= PROTOCOL_FACTS;
		agent_session_hear_offer(self, hello);
		welcome(self, hello);
		agent_session_count_up(self);
		agent_session_log_welcome(self, hello);
		agent_session_watch_end(self);
		agent_session_resume(self, face_twin(self, twin));
	}
	session_ref_release(twin);
}

void
agent_session_greet(struct agent_session *self, const struct frame_hello *hello)
{
	struct shared *shared = self->worker->shared;
	struct prefix block = prefix_block(&self->client, BLOCK_SITE);
	struct usage *usage = usage_of(shared->usage_table, self->identity);

	shares_leave(self->place);
	self->place = NULL;
	self->up_ms = clock_ms();
	if (!usage) {
		memory_short("the account of an agent that has just connected");
		refuse(self, CODE_BUSY, "memory is short on the relay; try again");
		return;
	}
	self->peer = recent_peers_enter(shared->recent_peers, &block, usage_tenant_key(usage));
	self->is_quiet = !session_lines_take(shared->session_lines, self->identity, usage);
	if (is_welcome_here(self))
		admit(self, hello, usage);
	else
		usage_release(usage);
}
