/*
 * What changes while the agent runs.
 */
#include "agent/reload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent_private.h"
#include "agent/sources.h"
#include "base/clock.h"
#include "base/log.h"

enum { DAY_S = 86400 };

bool
agent_reload_note_stamps(struct agent *agent)
{
	const struct agent_settings *settings = &agent->settings;
	struct endpoint_stamp *stamps = calloc(settings->endpoints.count + 1, sizeof *stamps);

	if (!stamps)
		return false;
	free(agent->endpoint_stamps);
	agent->endpoint_stamps = stamps;
	credentials_files_changed(settings, &agent->credentials_stamp);
	for (size_t i = 0; i < settings->endpoints.count; i++)
		endpoint_files_changed(
		    agent_settings_endpoint(settings, i), settings->state_dir, &stamps[i]);
	return true;
}

void
agent_reload_warn_expiry(const struct agent *agent)
{
	const struct cert_facts *facts = &agent->context.credentials->certificate;
	int64_t left_s = facts->not_after - clock_wall_s();

	if (left_s < (facts->not_after - facts->not_before) / 3)
		log_event(LOG_WARNING, "certificate-expires", left_s > 0
		    ? "agent.certificate expires soon; a renewed file is taken up by itself"
		    : "agent.certificate has expired; a renewed file is taken up by itself",
		    log_str("file", agent->settings.certificate), log_i64("days", left_s / DAY_S));
}

/* ---- files ---- */

static bool
take_credentials(struct agent *agent)
{
	char error[CREDENTIALS_ERROR];
	struct credentials *fresh =
	    credentials_new(&agent->settings, agent->context.credentials, error);

	if (!fresh) {
		log_audit(
		    LOG_ERROR, "reload-refused", error, log_str("kept", "what was loaded before"));
		return false;
	}
	credentials_release(agent->context.credentials);
	agent->context.credentials = fresh;
	sources_warn(fresh->relays, "agent.connect_cas");
	agent_reload_warn_expiry(agent);
	return true;
}

/* Gives the new table to everybody who works by the old one. */
static void
publish(struct agent *agent, struct endpoint_table *table)
{
	endpoint_table_release(agent->context.endpoint_table);
	agent->context.endpoint_table = table;
	agent_workers_publish(agent->context.workers, table);
	relay_links_refresh(&agent->links, clock_wall_s());
}

static bool
is_renewed(const struct credentials *before, const struct credentials *now)
{
	return strcmp(before->certificate.fingerprint, now->certificate.fingerprint) != 0;
}

static bool
find_stale(struct agent *agent, bool *stale)
{
	bool any = false;

	for (size_t i = 0; i < agent->settings.endpoints.count; i++) {
		stale[i] = endpoint_files_changed(agent_settings_endpoint(&agent->settings, i),
		    agent->settings.state_dir, &agent->endpoint_stamps[i]);
		any |= stale[i];
	}
	return any;
}

void
agent_reload_files(struct agent *agent)
{
	struct credentials *before = credentials_hold(agent->context.credentials);
	bool credentials_changed = credentials_files_changed(&agent->settings,
	    &agent->credentials_stamp) && take_credentials(agent);
	bool *stale = calloc(agent->settings.endpoints.count + 1, sizeof *stale);
	bool endpoints_changed = stale && find_stale(agent, stale);
	struct endpoint_table *table = NULL;
	char error[ENDPOINT_ERROR];

	if (stale && (credentials_changed || endpoints_changed))
		table = endpoint_table_new(&agent->settings, agent->context.credentials->relays,
		    agent->context.endpoint_table, stale, error);
	if (table) {
		publish(agent, table);
		log_audit(LOG_INFO, "files-reloaded", "certificates, CAs or CRLs have changed",
		    log_bool("credentials", credentials_changed),
		    log_bool("endpoints", endpoints_changed));
	}
	if (credentials_changed)
		relay_links_renew(&agent->links,
		    is_renewed(before, agent->context.credentials));
	credentials_release(before);
	free(stale);
}

/* ---- the configuration ---- */

/* The errors of a reload go to the log, a line each. */
static bool
read_settings(struct agent_settings *fresh, const char *path)
{
	char *text = NULL, *rest, *line;
	size_t bytes = 0;
	FILE *messages = open_memstream(&text, &bytes);
	int code;

	if (!messages)
		return false;
	code = agent_settings_read(fresh, path, messages);
	fclose(messages);
	for (rest = text; code != 0 && (line = strsep(&rest, "\n"));)
		if (line[0])
			log_audit(LOG_ERROR, "reload-refused", line,
			    log_str("kept", "the old configuration"));
	free(text);
	return code == 0;
}

static void
warn_restart(const struct agent_settings *old, const struct agent_settings *fresh)
{
	if (agent_settings_workers(old) != agent_settings_workers(fresh))
		log_event(LOG_WARNING, "restart-needed", "workers change only at a restart");
	if (strcmp(old->state_dir, fresh->state_dir) != 0)
		log_event(
		    LOG_WARNING, "restart-needed", "agent.state_dir changes only at a restart");
}

/* Everything that the new settings need, or nothing. */
static bool
load_all(const struct agent *agent, const struct agent_settings *fresh, struct credentials **credentials,
    struct endpoint_table **table)
{
	char error[ENDPOINT_ERROR];

	*table = NULL;
	*credentials = credentials_new(fresh, agent->context.credentials, error);
	if (*credentials)
		*table =
		    endpoint_table_new(fresh, (*credentials)->relays, agent->context.endpoint_table, NULL, error);
	if (*table)
		return true;
	credentials_release(*credentials);
	log_audit(LOG_ERROR, "reload-refused", error, log_str("kept", "the old configuration"));
	return false;
}

static void
swap(struct agent *agent, struct agent_settings *fresh, struct credentials *credentials,
    struct endpoint_table *table)
{
	bool renewed = is_renewed(agent->context.credentials, credentials);

	warn_restart(&agent->settings, fresh);
	agent_settings_wipe(&agent->settings);
	agent->settings = *fresh;
	credentials_release(agent->context.credentials);
	agent->context.credentials = credentials;
	log_init("valise-agent", (enum log_level)agent->settings.log.level,
	    (enum log_format)agent->settings.log.format);
	if (!agent_reload_note_stamps(agent) ||
	    !relay_links_set(&agent->links, &agent->settings.connect_url))
		log_event(LOG_ERROR, "memory-short", "memory is short: the reload is not complete");
	agent_context_configure(&agent->context, &agent->settings, &agent->state);
	publish(agent, table);
	relay_links_renew(&agent->links, renewed);
	sources_warn(credentials->relays, "agent.connect_cas");
}

void
agent_reload_settings(struct agent *agent)
{
	struct credentials *credentials;
	struct agent_settings fresh;
	struct endpoint_table *table;

	if (!agent->options.config_path) {
		agent_reload_files(agent);
		return;
	}
	if (read_settings(&fresh, agent->options.config_path) &&
	    load_all(agent, &fresh, &credentials, &table)) {
		swap(agent, &fresh, credentials, table);
		log_audit(LOG_INFO, "reloaded", "the configuration is in force",
		    log_u64("endpoints", table->count));
	} else
		agent_settings_wipe(&fresh);
}
