/* Where an endpoint terminates: the client's TLS, and the judgement of its certificate. */
#include "agent/flow_private.h"

#include <stdio.h>
#include <string.h>

#include "agent/challenge.h"
#include "agent/endpoint_table.h"
#include "agent/hello_facts.h"
#include "agent/pooled_channel.h"
#include "base/log.h"
#include "base/shares.h"
#include "base/units.h"
#include "sni/clienthello.h"
#include "tunnel/channel.h"

/* By the reader that relays route by and open_check() believes.  Who offers the protocol of challenges alone
 * gets nothing else (RFC 8737, 3), and nobody else gets that. */
static unsigned
judge_hello(void *arg, struct tls_hello *hello)
{
	const struct agent_flow *flow = arg;
	struct clienthello read;
	bool is_challenge = flow->setup->challenge != NULL;

	if (clienthello_read_body(&read, hello->message, hello->bytes) != CLIENTHELLO_COMPLETE)
		return clienthello_alert(&read);
	if (strcmp(read.server_name, flow->server_name) != 0)
		return ALERT_UNRECOGNIZED_NAME;
	if (clienthello_offers_only_alpn(&read, hello->message, CHALLENGE_PROTOCOL) != is_challenge)
		return ALERT_NO_APPLICATION_PROTOCOL;
	hello->name = flow->server_name;
	hello_facts_fill(hello, &read);
	return 0;
}

/* As it is configured now, or was when it was taken away. */
static const struct endpoint *
endpoint_now(const struct agent_flow *flow)
{
	const struct endpoint *endpoint =
	    endpoint_table_find_again(flow->context->endpoint_table, flow->endpoint);

	return endpoint ? endpoint : flow->endpoint;
}

struct trust *
agent_flow_client_trust(const struct agent_flow *flow)
{
	const struct endpoint *endpoint = endpoint_now(flow);

	return endpoint->clients ? endpoint->clients : flow->endpoint->clients;
}

static unsigned
judge_client(void *arg, const struct tls_certificate *chain, size_t count)
{
	struct agent_flow *flow = arg;
	struct peer_check *check = &flow->setup->client_check;

	check->trust = agent_flow_client_trust(flow);
	check->role = ROLE_CLIENT;
	check->is_optional = flow->endpoint->client_certificate == TLS_CLIENT_REQUEST;
	return peer_check_chain(check, chain, count);
}

/* Before TLS 1.3 a chain is judged before its owner has shown that it has the key, and certificates
 * are no secrets. */
static uint64_t
proven_party(const struct agent_flow *flow, const struct verdict *verdict)
{
	bool is_proven =
	    verdict->is_vouched && strcmp(tls_version(flow->setup->client), "TLS1.3") == 0;

	return is_proven ? verdict->party : 0;
}

static void
log_refused(const struct agent_flow *flow, const struct peer_check *check)
{
	char client[ADDRESS_TEXT];
	const struct log_field fields[] = {
		log_str("code", verify_code_word(check->verdict.code)),
		log_hex("flow", flow->id, FLOW_ID_BYTES),
		log_str("client", address_text(&flow->setup->open.client, client)),
		log_str("server_name", flow->server_name),
		log_str("subject", check->subject[0] ? check->subject : NULL),
		log_str("issuer", check->issuer[0] ? check->issuer : NULL),
		log_str("sha256", check->fingerprint[0] ? check->fingerprint : NULL),
		{ 0 },
	};

	log_write_judged(LOG_WARNING, "client-refused", &flow->setup->open.client,
	    proven_party(flow, &check->verdict), check->verdict.sentence, fields);
}

/* ---- who of those with a good certificate may come in ---- */

const char agent_flow_denied[] = "client-denied";

bool
agent_flow_is_admitted(struct agent_flow *flow, char sentence[DENIAL_TEXT])
{
	const struct endpoint *endpoint = endpoint_now(flow);
	const struct client_rules *rules = endpoint->rules;

	/* What is passed through is the upstream's to judge, also once the endpoint terminates. */
	if (!flow->endpoint->terminates || !rules || flow->admitted_by == client_rules_id(rules))
		return true;
	if (client_rules_find(rules, flow->identity) > 0) {
		flow->admitted_by = client_rules_id(rules);
		return true;
	}
	snprintf(sentence, DENIAL_TEXT,
	    "no entry under clients of endpoint %s lets in %.100s; `valise-agent check --client "
	    "FILE --endpoint %s` says why",
	    endpoint->name,
	    flow->identity ? identity_subject(flow->identity) : "anybody without a certificate",
	    endpoint->name);
	return false;
}

/* Of one subject of one issuer; it has shown that it has the key. */
static uint64_t
party_of(const struct identity *identity)
{
	uint64_t party = 0;

	if (identity)
		memcpy(&party, identity_key(identity), sizeof party);
	return party;
}

static void
log_denied(const struct agent_flow *flow, const char *sentence)
{
	const struct identity *identity = flow->identity;
	char client[ADDRESS_TEXT], issuer[2 * IDENTITY_KEY_BYTES + 1];
	const struct log_field fields[] = {
		log_str("code", agent_flow_denied),
		log_hex("flow", flow->id, FLOW_ID_BYTES),
		log_str("client", address_text(&flow->setup->open.client, client)),
		log_str("server_name", flow->server_name),
		log_str("subject", identity ? identity_subject(identity) : NULL),
		log_str("issuer", identity ? identity_issuer(identity) : NULL),
		log_str("issuer_spki",
		    identity ? hex_encode(issuer, identity_spki(identity, 1), IDENTITY_KEY_BYTES)
			     : NULL),
		log_str("serial", identity ? identity_serial(identity) : NULL),
		log_str("sha256", identity ? identity_fingerprint(identity) : NULL),
		{ 0 },
	};

	log_write_judged(LOG_WARNING, "client-refused", &flow->setup->open.client,
	    party_of(identity), sentence, fields);
}

/* In every version after the handshake: by then the client has proven that the certificate is its own,
 * and reads an alert as well as before. */
bool
agent_flow_admit(struct agent_flow *flow)
{
	char sentence[DENIAL_TEXT];

	if (agent_flow_is_admitted(flow, sentence))
		return true;
	log_denied(flow, sentence);
	agent_flow_refuse_client(flow, ALERT_ACCESS_DENIED, agent_flow_denied, sentence);
	return false;
}

/* ---- the handshake ---- */

static void
on_handshake_failed(struct agent_flow *flow, enum io result)
{
	const struct peer_check *check = &flow->setup->client_check;

	if (result == IO_WRITE)
		agent_flow_end(flow, "client-handshake-timeout", NULL);
	else if (check->has_refused) {
		log_refused(flow, check);
		agent_flow_refuse_client(
		    flow, 0, verify_code_word(check->verdict.code), check->verdict.sentence);
	} else
		agent_flow_refuse_client(
		    flow, 0, "client-handshake-failed", tls_error(flow->setup->client));
}

static void
on_handshake(void *arg, enum io result)
{
	struct agent_flow *flow = arg;

	if (result != IO_OK) {
		on_handshake_failed(flow, result);
		return;
	}
	shares_leave(flow->setup->handshake);
	flow->setup->handshake = NULL;
	agent_flow_count_shaken(flow);
	flow->version = tls_version(flow->setup->client);
	if (flow->setup->challenge) {
		agent_flow_refuse_client(flow, 0, "acme-challenge",
		    "an ACME server has seen the certificate of the challenge, and that is all");
		return;
	}
	flow->is_resumed = tls_is_resumed(flow->setup->client);
	flow->identity = flow->setup->client_check.identity;
	flow->setup->client_check.identity = NULL;
	if (flow->endpoint->forgives_truncation)
		tls_forgive_truncation(flow->setup->client);
	agent_flow_dial(flow);
}

static void
fail_without_certificate(struct agent_flow *flow)
{
	char sentence[SENTENCE_TEXT];

	snprintf(sentence, sizeof sentence, "endpoint %s has no certificate for '%.200s'",
	    flow->endpoint->name, flow->server_name);
	agent_flow_fail(flow, CODE_NO_CERTIFICATE, sentence, sentence);
}

static struct tls_config *
find_tls(const struct agent_flow *flow)
{
	const struct agent_flow_setup *setup = flow->setup;

	return setup->challenge
	    ? setup->challenge
	    : endpoint_tls(flow->endpoint, flow->server_name,
		  channel_hello(pooled_channel_channel(setup->pooled)), setup->open.hello_bytes);
}

void
agent_flow_start_handshake(struct agent_flow *flow)
{
	struct agent_flow_setup *setup = flow->setup;
	struct tls_hooks hooks = { .judge_hello = judge_hello, .arg = flow };
	struct heavy_party party = agent_flow_party(flow);
	struct tls_config *tls = find_tls(flow);

	if (!tls) {
		fail_without_certificate(flow);
		return;
	}
	if (flow->endpoint->client_certificate != TLS_CLIENT_OFF && !setup->challenge)
		hooks.judge = judge_client;
	agent_flow_move(flow, FLOW_HANDSHAKING);
	if (!agent_flow_take_handshake(flow)) {
		agent_flow_fail(flow, CODE_INTERNAL, "memory is short", "memory is short");
		return;
	}
	if (!agent_flow_release_channel(flow)) {
		agent_flow_end(flow, "relay-gave-up", NULL);
		return;
	}
	setup->client = tls_server(tls, setup->channel, &hooks);
	setup->channel = NULL;
	if (!setup->client) {
		agent_flow_end(flow, code_word(CODE_INTERNAL), "memory is short");
		return;
	}
	tls_set_party(setup->client, &party);
	tls_driver_start(&setup->driver, flow->context->loop, setup->client, tls_handshake,
	    AGENT_FLOW_HANDSHAKE_MS, on_handshake, flow);
}
