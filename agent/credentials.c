/*
 * Loads the agent's certificate and key, and the trust in relays.
 */
#include "agent/credentials.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/sources.h"
#include "keys/key_pair.h"

static void
fill_sources(struct trust_sources *sources, const struct agent_settings *settings)
{
	const struct sources_keys keys = { &settings->connect_cas, &settings->connect_crls,
		&settings->connect_crl_url, &settings->connect_crl };

	sources_fill(sources, &keys, settings, "agent.connect_cas");
}

/* ---- the own certificate ---- */

static void
own_release(struct own_certificate *own)
{
	if (!own || --own->references > 0)
		return;
	if (own->session)
		tls_config_release(own->session);
	cert_wipe(&own->facts);
	free(own->path);
	free(own);
}

static bool
make_session(struct own_certificate *own, const struct agent_settings *settings,
    const struct key_pair *pair, char *error)
{
	const struct tls_settings tls = { .purpose = TLS_SESSION_AGENT,
		.certificate = &pair->certificate,
		.private_key = &pair->key };
	char why[TLS_ERROR];

	own->session = tls_config_new(&tls, why);
	if (!own->session)
		snprintf(error, CREDENTIALS_ERROR,
		    "agent.certificate %.120s, agent.private_key %.120s: %s", settings->certificate,
		    settings->private_key, why);
	return own->session != NULL;
}

static bool
fill_own(struct own_certificate *own, const struct agent_settings *settings, char *error)
{
	char why[KEY_PAIR_ERROR] = "";
	struct key_pair pair;
	enum key_pair_fault fault =
	    key_pair_load(&pair, settings->certificate, settings->private_key, why);
	bool fine = fault == KEY_PAIR_FINE;

	if (!fine)
		snprintf(error, CREDENTIALS_ERROR, "%s: %s",
		    fault == KEY_PAIR_KEY ? "agent.private_key" : "agent.certificate", why);
	if (fine && !(fine = cert_load(&own->facts, settings->certificate, why)))
		snprintf(error, CREDENTIALS_ERROR, "agent.certificate: %s", why);
	fine = fine && make_session(own, settings, &pair, error);
	key_pair_wipe(&pair);
	return fine;
}

/* NULL with a sentence. */
static struct own_certificate *
own_load(const struct agent_settings *settings, char *error)
{
	struct own_certificate *own = calloc(1, sizeof *own);

	snprintf(error, CREDENTIALS_ERROR, "memory is short");
	if (!own)
		return NULL;
	own->references = 1;
	own->path = strdup(settings->certificate);
	if (own->path && fill_own(own, settings, error)) {
		error[0] = '\0';
		return own;
	}
	own_release(own);
	return NULL;
}

/* ---- all of it ---- */

static struct trust *
relays_load(const struct agent_settings *settings, const struct credentials *previous, char *error)
{
	struct trust_sources sources;

	fill_sources(&sources, settings);
	return trust_load(&sources, previous ? previous->relays : NULL, error, CREDENTIALS_ERROR);
}

static bool
load(struct credentials *credentials, const struct agent_settings *settings,
    const struct credentials *previous, char *error)
{
	struct tls_settings channel = { .purpose = TLS_CHANNEL_AGENT };
	char why[TLS_ERROR];

	if (!settings->certificate)
		return true;
	credentials->own = own_load(settings, error);
	if (!credentials->own)
		return false;
	credentials->channel = tls_config_new(&channel, why);
	if (!credentials->channel) {
		snprintf(error, CREDENTIALS_ERROR, "channels cannot be set up: %s", why);
		return false;
	}
	credentials->relays = relays_load(settings, previous, error);
	return credentials->relays != NULL;
}

struct credentials *
credentials_new(const struct agent_settings *settings, const struct credentials *previous,
    char error[CREDENTIALS_ERROR])
{
	struct credentials *credentials = calloc(1, sizeof *credentials);

	snprintf(error, CREDENTIALS_ERROR, "memory is short");
	if (!credentials)
		return NULL;
	credentials->references = 1;
	if (load(credentials, settings, previous, error))
		return credentials;
	credentials_release(credentials);
	return NULL;
}

struct credentials *
credentials_renew(const struct agent_settings *settings, const struct credentials *previous,
    const bool wanted[CREDENTIALS_PARTS], char errors[CREDENTIALS_PARTS][CREDENTIALS_ERROR])
{
	struct credentials *credentials = calloc(1, sizeof *credentials);

	errors[CREDENTIALS_OWN][0] = errors[CREDENTIALS_RELAYS][0] = '\0';
	if (!credentials)
		return NULL;
	credentials->references = 1;
	if (!settings->certificate)
		return credentials;
	credentials->channel = tls_config_hold(previous->channel);
	if (wanted[CREDENTIALS_OWN])
		credentials->own = own_load(settings, errors[CREDENTIALS_OWN]);
	if (wanted[CREDENTIALS_RELAYS])
		credentials->relays = relays_load(settings, previous, errors[CREDENTIALS_RELAYS]);
	if (!credentials->own) {
		credentials->own = previous->own;
		credentials->own->references++;
	}
	if (!credentials->relays)
		credentials->relays = trust_hold(previous->relays);
	return credentials;
}

struct credentials *
credentials_hold(struct credentials *credentials)
{
	credentials->references++;
	return credentials;
}

void
credentials_release(struct credentials *credentials)
{
	if (!credentials || --credentials->references > 0)
		return;
	own_release(credentials->own);
	if (credentials->channel)
		tls_config_release(credentials->channel);
	if (credentials->relays)
		trust_release(credentials->relays);
	free(credentials);
}

/* ---- their files ---- */

const char *
credentials_part_key(enum credentials_part part)
{
	return part == CREDENTIALS_OWN ? "agent.certificate" : "agent.connect_cas";
}

bool
credentials_files_changed(const struct agent_settings *settings, struct credentials_stamp *seen,
    bool changed[CREDENTIALS_PARTS])
{
	struct trust_sources sources;

	changed[CREDENTIALS_OWN] = changed[CREDENTIALS_RELAYS] = false;
	if (!settings->certificate)
		return false;
	fill_sources(&sources, settings);
	changed[CREDENTIALS_OWN] = sources_file_changed(settings->certificate, &seen->certificate);
	changed[CREDENTIALS_OWN] |= sources_file_changed(settings->private_key, &seen->private_key);
	changed[CREDENTIALS_RELAYS] = trust_files_changed(&sources, &seen->trust);
	return changed[CREDENTIALS_OWN] || changed[CREDENTIALS_RELAYS];
}
