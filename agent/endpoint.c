/*
 * Loads an endpoint with its credentials and its upstreams.
 */
#include "agent/endpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nettle/sha2.h>

#include "agent/sources.h"
#include "pki/branches.h"
#include "tunnel/tls_tickets.h"

static void
clients_sources(struct trust_sources *sources, const struct termination_settings *settings,
    const struct agent_settings *agent)
{
	const struct sources_keys keys = { &settings->cas, &settings->crls, &settings->crl_url,
		&settings->crl };

	sources_fill(sources, &keys, agent, "mutual_tls_certificate_authorities");
}

/* The array of conf_texts has no NULL at its end, and tls_settings wants one.  NULL: memory. */
static const char **
protocols_of(const struct conf_texts *alpn)
{
	const char **protocols = calloc(alpn->count + 1, sizeof *protocols);

	for (size_t i = 0; protocols && i < alpn->count; i++)
		protocols[i] = alpn->items[i];
	return protocols;
}

static bool
load_each(struct endpoint *endpoint, const struct termination_settings *settings,
    const struct tls_settings *shared, const struct endpoint *previous, char *why)
{
	const struct server_certificate_scope scope = { .endpoint = endpoint->server_name,
		.tls = shared,
		.before = previous ? previous->certificates : NULL,
		.before_count = previous ? previous->certificate_count : 0 };
	size_t count = agent_settings_certificate_count(settings);

	endpoint->certificates = calloc(count + 1, sizeof *endpoint->certificates);
	if (!endpoint->certificates) {
		snprintf(why, UPSTREAM_ERROR, "memory is short");
		return false;
	}
	/* It is the only one, and comes later. */
	if (settings->first.is_acme && !file_stamp_of(settings->first.certificate).exists)
		return true;
	while (endpoint->certificate_count < count) {
		size_t i = endpoint->certificate_count++;

		if (!server_certificate_load(&endpoint->certificates[i],
			agent_settings_certificate(settings, i), &scope, why))
			return false;
	}
	return true;
}

/* As many as there are in the trust at most.  NULL: memory. */
static struct tls_certificate *
client_cas_of(const struct trust *trust, size_t *count)
{
	struct tls_certificate *cas = calloc(trust_ca_count(trust) + 1, sizeof *cas);

	*count = 0;
	for (size_t i = 0; cas && i < trust_ca_count(trust); i++) {
		struct der ca = trust_accepted_ca(trust, i);

		if (ca.bytes > 0)
			cas[(*count)++] = (struct tls_certificate){ ca.data, ca.bytes };
	}
	return cas;
}

/* What all certificates have in common; the two lists are to be freed in any case.  False: memory. */
static bool
fill_shared(struct tls_settings *shared, const char ***protocols, struct tls_certificate **cas,
    const struct endpoint *endpoint, const struct termination_settings *settings)
{
	*shared = (struct tls_settings){ .purpose = TLS_ENDPOINT,
		.client_certificate = endpoint->client_certificate,
		.oldest = settings->oldest == OLDEST_TLS13 ? TLS_VERSION_13 : TLS_VERSION_12,
		.newest = settings->newest == NEWEST_TLS12 ? TLS_VERSION_12 : TLS_VERSION_13 };
	*protocols = protocols_of(&settings->alpn);
	*cas = NULL;
	if (settings->alpn.count > 0)
		shared->alpn = *protocols;
	if (endpoint->clients && settings->tells_ca_names) {
		*cas = client_cas_of(endpoint->clients, &shared->client_ca_count);
		shared->client_cas = *cas;
		if (!*cas)
			return false;
	}
	return *protocols != NULL;
}

/* GnuTLS keeps each CA whose name is told, whole, once for each certificate: some 18 KB. */
static bool
names_are_affordable(
    const struct tls_settings *shared, const struct termination_settings *settings, char *why)
{
	enum { NAMES_MOST = 4096 };
	size_t certificates = agent_settings_certificate_count(settings);

	if (shared->client_ca_count * certificates <= NAMES_MOST)
		return true;
	snprintf(why, UPSTREAM_ERROR,
	    "the names of %zu clients' CAs for each of %zu certificates are more than %d in all; list "
	    "fewer CAs or certificates, or set client_ca_names: off",
	    shared->client_ca_count, certificates, NAMES_MOST);
	return false;
}

/* Each text with its NUL, so that no two lists make the same bytes. */
static void
digest_tls(struct endpoint *endpoint, const struct termination_settings *settings)
{
	const int32_t words[] = { settings->oldest, settings->newest,
		(int32_t)settings->alpn.count };
	struct sha256_ctx sha;

	sha256_init(&sha);
	sha256_update(&sha, sizeof words, (const uint8_t *)words);
	for (size_t i = 0; i < settings->alpn.count; i++)
		sha256_update(&sha, strlen(settings->alpn.items[i]) + 1,
		    (const uint8_t *)settings->alpn.items[i]);
	for (size_t i = 0; i < endpoint->certificate_count; i++)
		sha256_update(&sha, sizeof endpoint->certificates[i].digest,
		    endpoint->certificates[i].digest);
	sha256_digest(&sha, sizeof endpoint->tls_digest, endpoint->tls_digest);
}

/* What was resumable before is so after a reload that changed nothing of it. */
static void
continue_tickets(struct endpoint *endpoint, const struct endpoint *previous)
{
	if (endpoint->tickets && previous && previous->tickets &&
	    memcmp(endpoint->tls_digest, previous->tls_digest, sizeof endpoint->tls_digest) == 0)
		tls_tickets_continue(endpoint->tickets, previous->tickets);
}

static bool
load_certificates(struct endpoint *endpoint, const struct termination_settings *settings,
    const struct endpoint *previous, char *why)
{
	struct tls_settings shared;
	struct tls_certificate *cas;
	const char **protocols;
	bool fine = fill_shared(&shared, &protocols, &cas, endpoint, settings);

	if (fine && endpoint->client_certificate == TLS_CLIENT_OFF) {
		endpoint->tickets = shared.tickets = tls_tickets_new();
		fine = endpoint->tickets != NULL;
	}
	if (fine)
		fine = names_are_affordable(&shared, settings, why) &&
		    load_each(endpoint, settings, &shared, previous, why);
	else
		snprintf(why, UPSTREAM_ERROR, "memory is short");
	free(protocols);
	free(cas);
	digest_tls(endpoint, settings);
	continue_tickets(endpoint, previous);
	return fine;
}

/* Here, for only now it is known how many CAs the files list. */
static bool
load_rules(struct endpoint *endpoint, const struct termination_settings *settings, char *why)
{
	char error[CLIENT_RULES_ERROR];

	if (settings->clients_mark.line == 0)
		return true;
	endpoint->rules =
	    client_rules_new(&settings->clients, branches_are_several(endpoint->clients), error);
	if (!endpoint->rules)
		snprintf(why, UPSTREAM_ERROR, "%s", error);
	return endpoint->rules != NULL;
}

/* And what goes with them. */
static void
borrow_certificates(struct endpoint *endpoint, const struct endpoint *lender)
{
	endpoint->certificates = lender->certificates;
	endpoint->certificate_count = lender->certificate_count;
	endpoint->tickets = lender->tickets ? tls_tickets_hold(lender->tickets) : NULL;
	memcpy(endpoint->tls_digest, lender->tls_digest, sizeof endpoint->tls_digest);
}

static bool
load_termination(struct endpoint *endpoint, const struct termination_settings *settings,
    const struct agent_settings *agent, const struct endpoint *previous, char *why)
{
	static const enum tls_client_certificate asks[] = {
		[MUTUAL_OFF] = TLS_CLIENT_OFF,
		[MUTUAL_REQUEST] = TLS_CLIENT_REQUEST,
		[MUTUAL_REQUIRE] = TLS_CLIENT_REQUIRE,
	};
	struct trust_sources sources;

	endpoint->terminates = true;
	endpoint->has_tls13 = settings->newest == NEWEST_TLS13;
	endpoint->client_certificate = asks[settings->mutual_tls];
	if (settings->mutual_tls != MUTUAL_OFF) {
		clients_sources(&sources, settings, agent);
		endpoint->clients =
		    trust_load(&sources, previous ? previous->clients : NULL, why, UPSTREAM_ERROR);
		if (!endpoint->clients || !load_rules(endpoint, settings, why))
			return false;
	}
	if (!endpoint->lender)
		return load_certificates(endpoint, settings, previous, why);
	borrow_certificates(endpoint, endpoint->lender);
	return true;
}

bool
endpoint_has_key(const struct endpoint *endpoint, const struct spki_pin *key)
{
	for (size_t i = 0; i < endpoint->certificate_count; i++)
		if (spki_pin_equals(&endpoint->certificates[i].key, key))
			return true;
	return false;
}

uint8_t
endpoint_carriers(const struct endpoint_settings *settings)
{
	return (uint8_t)(1u << CARRIER_SEALED | 1u << settings->carrier);
}

static bool
load(struct endpoint *endpoint, const struct endpoint_settings *settings,
    const struct agent_settings *agent, const struct endpoint *previous, char *why)
{
	snprintf(endpoint->name, sizeof endpoint->name, "%s", settings->name);
	memcpy(endpoint->server_name, settings->server_name, sizeof endpoint->server_name);
	endpoint->carriers = endpoint_carriers(settings);
	endpoint->weight = (uint16_t)settings->weight;
	endpoint->balance = (uint8_t)settings->balance;
	endpoint->priority = (uint8_t)settings->priority;
	endpoint->forgives_truncation = settings->eof_without_close_notify == EOF_FIN;
	endpoint->bounds.half_closed_ms = settings->half_closed_ms;
	endpoint->bounds.idle_ms = settings->idle_ms;
	endpoint->bounds.stall_ms = settings->stall_ms;
	endpoint->denied = previous ? previous->denied : 0;
	if (!address_rows_make(&settings->addresses, &endpoint->addresses))
		return false; /* `why` says that memory is short */
	if (settings->terminates &&
	    !load_termination(endpoint, &settings->termination, agent, previous, why))
		return false;
	return upstream_init(&endpoint->upstream, &settings->upstream, endpoint->server_name,
	    &settings->termination.alpn, agent, previous ? &previous->upstream : NULL,
	    endpoint->lender ? &endpoint->lender->upstream : NULL, why);
}

/* lender NULL: the certificates are loaded, too. */
static struct endpoint *
make(const struct endpoint_settings *settings, uint32_t number, const struct agent_settings *agent,
    const struct endpoint *previous, struct endpoint *lender, char error[ENDPOINT_ERROR])
{
	struct endpoint *endpoint = calloc(1, sizeof *endpoint);
	char why[UPSTREAM_ERROR] = "memory is short";

	if (endpoint) {
		endpoint->references = 1;
		endpoint->number = number;
		endpoint->lender = lender ? endpoint_hold(lender) : NULL;
		if (previous)
			endpoint->former_number =
			    previous->number == number ? previous->former_number : previous->number;
		if (load(endpoint, settings, agent, previous, why))
			return endpoint;
		endpoint_release(endpoint);
	}
	snprintf(error, ENDPOINT_ERROR, "endpoint %s: %s", settings->name, why);
	return NULL;
}

struct endpoint *
endpoint_new(const struct endpoint_settings *settings, uint32_t number,
    const struct agent_settings *agent, const struct endpoint *previous, char error[ENDPOINT_ERROR])
{
	return make(settings, number, agent, previous, NULL, error);
}

struct endpoint *
endpoint_new_lent(const struct endpoint_settings *settings, const struct agent_settings *agent,
    struct endpoint *previous, char error[ENDPOINT_ERROR])
{
	return make(settings, previous->number, agent, previous,
	    previous->lender ? previous->lender : previous, error);
}

struct endpoint *
endpoint_hold(struct endpoint *endpoint)
{
	atomic_fetch_add(&endpoint->references, 1);
	return endpoint;
}

void
endpoint_release(struct endpoint *endpoint)
{
	if (!endpoint || atomic_fetch_sub(&endpoint->references, 1) != 1)
		return;
	for (size_t i = 0; !endpoint->lender && i < endpoint->certificate_count; i++)
		server_certificate_wipe(&endpoint->certificates[i]);
	if (!endpoint->lender)
		free(endpoint->certificates);
	endpoint_release(endpoint->lender);
	tls_tickets_release(endpoint->tickets);
	if (endpoint->clients)
		trust_release(endpoint->clients);
	client_rules_free(endpoint->rules);
	upstream_wipe(&endpoint->upstream);
	address_rules_release(endpoint->addresses);
	free(endpoint);
}

/* With one certificate there is no choice, and the hello need not be read again. */
struct tls_config *
endpoint_tls(
    const struct endpoint *endpoint, const char *server_name, const uint8_t *hello, size_t bytes)
{
	const struct server_certificate *chosen;
	struct key_offer offer = { 0 };

	if (endpoint->certificate_count > 1)
		offer = server_certificate_offer(hello, bytes, endpoint->has_tls13);
	chosen = server_certificate_choose(
	    endpoint->certificates, endpoint->certificate_count, server_name, &offer);
	return chosen ? chosen->tls : NULL;
}

bool
endpoint_answers_challenges(const struct endpoint *endpoint)
{
	return endpoint->terminates;
}

void
endpoint_watch(struct endpoint *endpoint, int64_t now_s, uint64_t now_ms)
{
	if (endpoint->tickets)
		tls_tickets_refresh(endpoint->tickets, now_ms);
	for (size_t i = 0; i < endpoint->certificate_count; i++)
		server_certificate_watch(&endpoint->certificates[i], endpoint->name, now_s);
}

static bool
certificates_changed(const struct termination_settings *settings, struct sources_stamp *seen)
{
	struct sources_stamp now = { 0 };

	for (size_t i = 0; i < agent_settings_certificate_count(settings); i++) {
		const struct certificate_settings *one = agent_settings_certificate(settings, i);

		sources_stamp_add(&now, one->certificate);
		sources_stamp_add(&now, one->private_key);
		if (one->staple)
			sources_stamp_add(&now, one->staple);
	}
	return sources_stamp_replace(seen, &now);
}

bool
endpoint_files_changed(const struct endpoint_settings *settings, const struct agent_settings *agent,
    struct endpoint_stamp *seen)
{
	struct trust_sources sources;
	bool changed = false;

	if (settings->terminates) {
		changed |= certificates_changed(&settings->termination, &seen->certificates);
		if (settings->termination.mutual_tls != MUTUAL_OFF) {
			clients_sources(&sources, &settings->termination, agent);
			changed |= trust_files_changed(&sources, &seen->clients);
		}
	}
	changed |= upstream_files_changed(&settings->upstream, agent, &seen->upstream);
	return changed;
}

bool
endpoint_trust_changed(const struct endpoint_stamp *a, const struct endpoint_stamp *b)
{
	return memcmp(&a->clients, &b->clients, sizeof a->clients) != 0 ||
	    upstream_trust_changed(&a->upstream, &b->upstream);
}

bool
endpoint_is_behind(
    const struct endpoint *endpoint, const struct crl_catalogue *catalogue, int64_t now_s)
{
	const struct trust *upstream = endpoint->upstream.trust;

	return (endpoint->clients && trust_is_behind(endpoint->clients, catalogue, now_s)) ||
	    (upstream && trust_is_behind(upstream, catalogue, now_s));
}

const char *
endpoint_doubt(const struct endpoint *endpoint)
{
	const char *doubt = endpoint->clients ? trust_doubt(endpoint->clients) : NULL;

	return doubt || !endpoint->upstream.trust ? doubt : trust_doubt(endpoint->upstream.trust);
}

size_t
endpoint_refusals(const struct endpoint *endpoint, const char **sentence)
{
	const char *of_upstream;
	size_t count = trust_refusals(endpoint->clients, sentence) +
	    trust_refusals(endpoint->upstream.trust, &of_upstream);

	if (!*sentence)
		*sentence = of_upstream;
	return count;
}
