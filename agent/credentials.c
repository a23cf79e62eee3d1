/*
 * Loads the agent's certificate and key, and the trust in relays.
 */
#include "agent/credentials.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/sources.h"
#include "pki/key_pair.h"

static void
fill_sources(struct trust_sources *sources, const struct agent_settings *settings)
{
	sources_fill(sources, &settings->connect_cas, &settings->connect_crls,
	    &settings->connect_crl, settings, "agent.connect_cas");
}

static bool
load_session(struct credentials *credentials, const struct agent_settings *settings, char *error)
{
	struct tls_settings tls = { .purpose = TLS_SESSION_AGENT };
	char why[KEY_PAIR_ERROR] = "", tls_why[TLS_ERROR] = "";
	struct key_pair pair;
	enum key_pair_fault fault =
	    key_pair_load(&pair, settings->certificate, settings->private_key, why);
	bool fine = fault == KEY_PAIR_FINE;

	if (!fine)
		snprintf(error, CREDENTIALS_ERROR, "%s: %s",
		    fault == KEY_PAIR_KEY ? "agent.private_key" : "agent.certificate", why);
	if (fine && !(fine = cert_load(&credentials->certificate, settings->certificate, why)))
		snprintf(error, CREDENTIALS_ERROR, "agent.certificate: %s", why);
	if (fine) {
		tls.certificate = &pair.certificate;
		tls.private_key = &pair.key;
		credentials->session = tls_config_new(&tls, tls_why);
		if (!credentials->session)
			snprintf(error, CREDENTIALS_ERROR,
			    "agent.certificate %.120s, agent.private_key "
			    "%.120s: %s",
			    settings->certificate, settings->private_key, tls_why);
	}
	key_pair_wipe(&pair);
	return credentials->session != NULL;
}

static bool
load(struct credentials *credentials, const struct agent_settings *settings,
    const struct credentials *previous, char *error)
{
	struct tls_settings channel = { .purpose = TLS_CHANNEL_AGENT };
	struct trust_sources sources;
	char why[TLS_ERROR];

	credentials->certificate_path = strdup(settings->certificate);
	if (!load_session(credentials, settings, error))
		return false;
	credentials->channel = tls_config_new(&channel, why);
	if (!credentials->channel || !credentials->certificate_path) {
		snprintf(error, CREDENTIALS_ERROR, "channels cannot be set up: %s",
		    credentials->channel ? "memory is short" : why);
		return false;
	}
	fill_sources(&sources, settings);
	credentials->relays =
	    trust_load(&sources, previous ? previous->relays : NULL, error, CREDENTIALS_ERROR);
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
	if (credentials->session)
		tls_config_release(credentials->session);
	if (credentials->channel)
		tls_config_release(credentials->channel);
	if (credentials->relays)
		trust_release(credentials->relays);
	cert_wipe(&credentials->certificate);
	free(credentials->certificate_path);
	free(credentials);
}

bool
credentials_files_changed(const struct agent_settings *settings, struct credentials_stamp *seen)
{
	struct trust_sources sources;
	bool changed;

	fill_sources(&sources, settings);
	changed = sources_file_changed(settings->certificate, &seen->certificate);
	changed |= sources_file_changed(settings->private_key, &seen->private_key);
	changed |= trust_files_changed(&sources, &seen->trust);
	return changed;
}
