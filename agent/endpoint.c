/*
 * Loads an endpoint, and remembers whether its upstream is down.
 */
#include "agent/endpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/sources.h"
#include "pki/branches.h"
#include "pki/key_pair.h"

static void
clients_sources(struct trust_sources *sources, const struct termination_settings *settings,
    const struct agent_settings *agent)
{
	sources_fill(sources, &settings->cas, &settings->crls, &settings->crl, agent,
	    "mutual_tls_certificate_authorities");
}

/* The array of conf_texts has no NULL at its end, and tls_settings wants one. */
static bool
new_config(
    struct endpoint *endpoint, struct tls_settings *tls, const struct conf_texts *alpn, char *why)
{
	const char **protocols = calloc(alpn->count + 1, sizeof *protocols);

	snprintf(why, TLS_ERROR, "memory is short");
	if (!protocols)
		return false;
	for (size_t i = 0; i < alpn->count; i++)
		protocols[i] = alpn->items[i];
	tls->alpn = alpn->count > 0 ? protocols : NULL;
	endpoint->tls = tls_config_new(tls, why);
	free(protocols);
	return endpoint->tls != NULL;
}

static bool
load_certificate(struct endpoint *endpoint, const struct termination_settings *settings, char *why)
{
	struct tls_settings tls = { .purpose = TLS_ENDPOINT };
	char pair_why[KEY_PAIR_ERROR], tls_why[TLS_ERROR];
	struct key_pair pair;
	bool fine = key_pair_load(&pair, settings->certificate, settings->private_key, pair_why) ==
	    KEY_PAIR_FINE;

	tls.client_certificate = endpoint->client_certificate;
	tls.certificate = &pair.certificate;
	tls.private_key = &pair.key;
	if (!fine)
		snprintf(why, UPSTREAM_ERROR, "%s", pair_why);
	if (fine && !new_config(endpoint, &tls, &settings->alpn, tls_why)) {
		snprintf(why, UPSTREAM_ERROR, "%.200s, %.200s: %s", settings->certificate,
		    settings->private_key, tls_why);
		fine = false;
	}
	key_pair_wipe(&pair);
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
	endpoint->client_certificate = asks[settings->mutual_tls];
	if (!load_certificate(endpoint, settings, why))
		return false;
	if (settings->mutual_tls == MUTUAL_OFF)
		return true;
	clients_sources(&sources, settings, agent);
	endpoint->clients =
	    trust_load(&sources, previous ? previous->clients : NULL, why, UPSTREAM_ERROR);
	return endpoint->clients && load_rules(endpoint, settings, why);
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
	return upstream_init(&endpoint->upstream, &settings->upstream, &settings->termination.alpn,
	    agent, previous ? &previous->upstream : NULL, why);
}

struct endpoint *
endpoint_new(const struct endpoint_settings *settings, uint32_t number,
    const struct agent_settings *agent, const struct endpoint *previous, char error[ENDPOINT_ERROR])
{
	struct endpoint *endpoint = calloc(1, sizeof *endpoint);
	char why[UPSTREAM_ERROR] = "memory is short";

	if (endpoint) {
		endpoint->references = 1;
		endpoint->number = number;
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
	if (endpoint->tls)
		tls_config_release(endpoint->tls);
	if (endpoint->clients)
		trust_release(endpoint->clients);
	client_rules_free(endpoint->rules);
	upstream_wipe(&endpoint->upstream);
	address_rules_release(endpoint->addresses);
	free(endpoint);
}

bool
endpoint_files_changed(const struct endpoint_settings *settings, const struct agent_settings *agent,
    struct endpoint_stamp *seen)
{
	struct trust_sources sources;
	bool changed = false;

	if (settings->terminates) {
		changed |=
		    sources_file_changed(settings->termination.certificate, &seen->certificate);
		changed |=
		    sources_file_changed(settings->termination.private_key, &seen->private_key);
		if (settings->termination.mutual_tls != MUTUAL_OFF) {
			clients_sources(&sources, &settings->termination, agent);
			changed |= trust_files_changed(&sources, &seen->clients);
		}
	}
	changed |= upstream_files_changed(&settings->upstream, agent, &seen->upstream);
	return changed;
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

void
endpoint_note_dial(struct endpoint *endpoint, bool came_through, uint64_t now_ms)
{
	atomic_store(&endpoint->down_until_ms, came_through ? 0 : now_ms + ENDPOINT_DOWN_MS);
}

bool
endpoint_is_down(const struct endpoint *endpoint, uint64_t now_ms)
{
	return now_ms < atomic_load(&endpoint->down_until_ms);
}
