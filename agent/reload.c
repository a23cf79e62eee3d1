/*
 * What changes while the agent runs: its configuration at SIGHUP, and each
 * file behind it whenever it changes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent_private.h"
#include "agent/sources.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/ready.h"

enum { DAY_S = 86400 };

bool
reload_note_stamps(struct agent *agent)
{
	const struct settings *settings = &agent->settings;
	struct endpoint_stamp *stamps = calloc(settings->endpoints.count + 1, sizeof *stamps);

	if (!stamps)
		return false;
	free(agent->endpoint_stamps);
	agent->endpoint_stamps = stamps;
	credentials_files_changed(settings, &agent->credentials_stamp);
	for (size_t i = 0; i < settings->endpoints.count; i++)
		endpoint_files_changed(
		    settings_endpoint(settings, i), settings->state_dir, &stamps[i]);
	return true;
}

void
reload_warn_expiry(const struct agent *agent)
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
		log_event(
		    LOG_ERROR, "reload-refused", error, log_str("kept", "what was loaded before"));
		return false;
	}
	credentials_release(agent->context.credentials);
	agent->context.credentials = fresh;
	sources_warn(fresh->relays, "agent.connect_cas");
	reload_warn_expiry(agent);
	return true;
}

/* The new table goes to all who work by the old one. */
static void
publish(struct agent *agent, struct roster *roster)
{
	roster_release(agent->context.roster);
	agent->context.roster = roster;
	workers_publish(agent->context.workers, roster);
	for (size_t i = 0; i < agent->link_count; i++)
		relay_link_refresh(agent->links[i], clock_wall_s());
}

static bool
is_renewed(const struct credentials *before, const struct credentials *now)
{
	return strcmp(before->certificate.fingerprint, now->certificate.fingerprint) != 0;
}

static void
renew_links(struct agent *agent, bool certificate_renewed)
{
	for (size_t i = 0; i < agent->link_count; i++)
		if (certificate_renewed || !relay_link_is_up(agent->links[i]))
			relay_link_renew(agent->links[i]);
}

static bool
find_stale(struct agent *agent, bool *stale)
{
	bool any = false;

	for (size_t i = 0; i < agent->settings.endpoints.count; i++) {
		stale[i] = endpoint_files_changed(settings_endpoint(&agent->settings, i),
		    agent->settings.state_dir, &agent->endpoint_stamps[i]);
		any |= stale[i];
	}
	return any;
}

void
reload_files(struct agent *agent)
{
	struct credentials *before = credentials_hold(agent->context.credentials);
	bool credentials_changed = credentials_files_changed(&agent->settings,
	    &agent->credentials_stamp) && take_credentials(agent);
	bool *stale = calloc(agent->settings.endpoints.count + 1, sizeof *stale);
	bool endpoints_changed = stale && find_stale(agent, stale);
	struct roster *roster = NULL;
	char error[ENDPOINT_ERROR];

	if (stale && (credentials_changed || endpoints_changed))
		roster = roster_new(&agent->settings, agent->context.credentials->relays,
		    agent->context.roster, stale, error);
	if (roster) {
		publish(agent, roster);
		log_event(LOG_INFO, "files-reloaded", "certificates, CAs or CRLs have changed",
		    log_bool("credentials", credentials_changed),
		    log_bool("endpoints", endpoints_changed));
	}
	if (credentials_changed)
		renew_links(agent, is_renewed(before, agent->context.credentials));
	credentials_release(before);
	free(stale);
}

/* ---- the configuration ---- */

/* The errors of a reload go to the log, a line each. */
static bool
read_settings(struct settings *fresh, const char *path)
{
	char *text = NULL, *rest, *line;
	size_t bytes = 0;
	FILE *messages = open_memstream(&text, &bytes);
	int code;

	if (!messages)
		return false;
	code = settings_read(fresh, path, messages);
	fclose(messages);
	for (rest = text; code != 0 && (line = strsep(&rest, "\n"));)
		if (line[0])
			log_event(LOG_ERROR, "reload-refused", line,
			    log_str("kept", "the old configuration"));
	free(text);
	return code == 0;
}

static void
warn_restart(const struct settings *old, const struct settings *fresh)
{
	if (settings_workers(old) != settings_workers(fresh))
		log_event(LOG_WARNING, "restart-needed", "workers change only at a restart");
	if (strcmp(old->state_dir, fresh->state_dir) != 0)
		log_event(
		    LOG_WARNING, "restart-needed", "agent.state_dir changes only at a restart");
}

/* Everything that the new settings need, or nothing. */
static bool
load_all(const struct agent *agent, const struct settings *fresh, struct credentials **credentials,
    struct roster **roster)
{
	char error[ENDPOINT_ERROR];

	*roster = NULL;
	*credentials = credentials_new(fresh, agent->context.credentials, error);
	if (*credentials)
		*roster =
		    roster_new(fresh, (*credentials)->relays, agent->context.roster, NULL, error);
	if (*roster)
		return true;
	credentials_release(*credentials);
	log_event(LOG_ERROR, "reload-refused", error, log_str("kept", "the old configuration"));
	return false;
}

static void
swap(struct agent *agent, struct settings *fresh, struct credentials *credentials,
    struct roster *roster)
{
	bool renewed = is_renewed(agent->context.credentials, credentials);

	warn_restart(&agent->settings, fresh);
	settings_wipe(&agent->settings);
	agent->settings = *fresh;
	credentials_release(agent->context.credentials);
	agent->context.credentials = credentials;
	log_init("valise-agent", (enum log_level)agent->settings.log_level,
	    (enum log_format)agent->settings.log_format);
	if (!reload_note_stamps(agent) || !agent_make_links(agent))
		log_event(LOG_ERROR, "memory-short", "memory is short: the reload is not complete");
	agent_fill_place(agent);
	publish(agent, roster);
	renew_links(agent, renewed);
	sources_warn(credentials->relays, "agent.connect_cas");
}

void
reload_settings(struct agent *agent)
{
	struct credentials *credentials;
	struct settings fresh;
	struct roster *roster;

	if (!agent->wish.config_path) {
		reload_files(agent);
		return;
	}
	agent_show_status(agent, "RELOADING=1");
	if (read_settings(&fresh, agent->wish.config_path) &&
	    load_all(agent, &fresh, &credentials, &roster)) {
		swap(agent, &fresh, credentials, roster);
		log_event(LOG_INFO, "reloaded", "the configuration is in force",
		    log_u64("endpoints", roster->count));
	} else
		settings_wipe(&fresh);
	agent_show_status(agent, "READY=1");
}
