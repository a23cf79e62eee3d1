/*
 * The configuration at SIGHUP: read, verified and loaded whole, then put in force at once.  reload_job.c says
 * in which thread.
 */
#include "agent/reload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/acme.h"
#include "agent/agent_confine.h"
#include "agent/crl_urls.h"
#include "agent/endpoint_health.h"
#include "agent/relay_path.h"
#include "agent/reload_private.h"
#include "agent/renew.h"
#include "agent/sources.h"
#include "base/admin.h"
#include "base/clock.h"
#include "base/host.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/mistakes.h"
#include "base/sandbox.h"
#include "base/socket.h"

static const char configuration_part[] = "configuration";

/* NULL when memory is short. */
static struct endpoint_stamp *
note_stamps(struct agent_settings *settings, struct trust_stamp *crl_stamp,
    struct credentials_stamp *credentials_stamp)
{
	struct endpoint_stamp *stamps = calloc(settings->endpoints.count + 1, sizeof *stamps);

	if (!stamps)
		return NULL;
	sources_catalogue(settings, crl_stamp);
	credentials_files_changed(settings, credentials_stamp, (bool[CREDENTIALS_PARTS]){ 0 });
	for (size_t i = 0; i < settings->endpoints.count; i++)
		endpoint_files_changed(agent_settings_endpoint(settings, i), settings, &stamps[i]);
	return stamps;
}

bool
agent_reload_note_stamps(struct agent_live *live)
{
	live->endpoint_stamps =
	    note_stamps(&live->settings, &live->crl_stamp, &live->credentials_stamp);
	return live->endpoint_stamps != NULL;
}

void
agent_reload_set_limits(struct agent_live *live)
{
	agent_limits_derive(&live->limits, &live->settings, live->descriptors, host_memory());
	agent_workers_set_limits(live->context.workers, &live->limits);
	live->context.pool_most = (unsigned)live->limits.pool_most;
}

void
agent_reload_obey_descriptors(struct agent_live *live)
{
	uint64_t now = socket_limit();

	if (now == live->descriptors)
		return;
	live->descriptors = now;
	agent_reload_set_limits(live);
	log_event(LOG_WARNING, "descriptors-changed",
	    "the system allows another number of descriptors than before: they are shared out anew",
	    log_u64("descriptors", now), log_u64("flows", live->limits.flows));
}

/* ---- what both have ---- */

void
agent_reload_part_of_endpoint(const struct agent_live *live, size_t index, char part[PART_TEXT])
{
	snprintf(
	    part, PART_TEXT, "endpoint %s", agent_settings_endpoint(&live->settings, index)->name);
}

void
agent_reload_part_of_forward(const struct agent_live *live, size_t index, char part[PART_TEXT])
{
	snprintf(
	    part, PART_TEXT, "forward %s", agent_settings_forward(&live->settings, index)->name);
}

void
agent_reload_watch_health(struct agent_live *live)
{
	live->is_health_behind = !endpoint_health_watch(live->health, live->context.endpoint_table);
	if (live->is_health_behind)
		memory_short("health checks, which begin later");
}

void
agent_reload_refresh_crls(struct agent_live *live)
{
	live->is_refresh_behind =
	    !crl_urls_refresh(live->crl_refresh, &live->settings, live->context.proxy);
	if (live->is_refresh_behind)
		memory_short("CRLs that are fetched, which begins later");
}

void
agent_reload_publish(struct agent_live *live, struct endpoint_table *table)
{
	endpoint_table_release(live->context.endpoint_table);
	live->context.endpoint_table = table;
	agent_workers_publish(live->context.workers, table);
	agent_reload_watch_health(live);
	probes_set(live->probes, table);
	relay_links_refresh(&live->links, clock_wall_s());
}

bool
agent_reload_is_renewed(const struct credentials *before, const struct credentials *now)
{
	if (!before->own || !now->own)
		return before->own != now->own;
	return strcmp(before->own->facts.fingerprint, now->own->facts.fingerprint) != 0;
}

/* ---- the configuration, loaded ---- */

static const char old_configuration[] = "the old configuration";

static void
warn_restart(const struct agent_settings *old, const struct agent_settings *fresh)
{
	char before[ADMIN_PATH], after[ADMIN_PATH];

	if (agent_settings_workers(old) != agent_settings_workers(fresh))
		log_event(LOG_WARNING, "restart-needed", "workers change only at a restart");
	if (old->has_key_process != fresh->has_key_process)
		log_event(LOG_WARNING, "restart-needed", "key_process changes only at a restart");
	if (strcmp(admin_path(old->admin_socket, old->state_dir, before),
		admin_path(fresh->admin_socket, fresh->state_dir, after)) != 0)
		log_event(LOG_WARNING, "restart-needed", "admin.socket changes only at a restart");
	if (!web_rows_equal(&old->web, &fresh->web))
		log_event(LOG_WARNING, "restart-needed",
		    "admin.http, admin.http_hosts and admin.health change only by a restart");
	if (strcmp(old->admin_group ? old->admin_group : "",
		fresh->admin_group ? fresh->admin_group : "") != 0)
		log_event(LOG_WARNING, "restart-needed", "admin.group changes only at a restart");
	if (strcmp(old->state_dir, fresh->state_dir) != 0)
		log_event(
		    LOG_WARNING, "restart-needed", "agent.state_dir changes only at a restart");
}

void
agent_reload_wipe(struct agent_loaded *loaded)
{
	agent_settings_wipe(&loaded->settings);
	free(loaded->endpoint_stamps);
	endpoint_table_release(loaded->endpoint_table);
	endpoint_table_release(loaded->retired);
	loaded->endpoint_stamps = NULL;
	loaded->endpoint_table = loaded->retired = NULL;
}

/* What only the loop may release. */
static void
release_own(struct agent_loaded *loaded)
{
	credentials_release(loaded->credentials);
	relay_paths_free(loaded->paths);
	loaded->credentials = NULL;
	loaded->paths = NULL;
}

/* What is out of reach would be told as a lack of rights, for which nobody would find the reason. */
static bool
is_in_reach(struct agent_live *live, struct agent_loaded *loaded)
{
	struct sandbox *wanted =
	    live->sandbox ? agent_confine_plan_reload(&loaded->settings, live->config_path) : NULL;
	char sentence[SANDBOX_ERROR];
	bool misses = wanted && sandbox_misses(live->sandbox, wanted, sentence);

	sandbox_free(wanted);
	if (misses)
		snprintf(loaded->error, sizeof loaded->error, "%s", sentence);
	return !misses;
}

/* All files behind the settings, but those of forwards. */
static bool
load_files(struct agent_live *live, struct agent_loaded *loaded)
{
	struct agent_settings *settings = &loaded->settings;
	char *error = loaded->error;

	snprintf(error, sizeof loaded->error, "memory is short");
	loaded->endpoint_stamps =
	    note_stamps(settings, &loaded->crl_stamp, &loaded->credentials_stamp);
	if (loaded->endpoint_stamps)
		loaded->paths = relay_paths_new(settings, error);
	if (loaded->paths) {
		settings->egress = egress_hold(loaded->paths->egress);
		loaded->credentials = credentials_new(settings, live->context.credentials, error);
	}
	if (loaded->credentials)
		loaded->endpoint_table = endpoint_table_new(settings, loaded->credentials->relays,
		    live->context.endpoint_table, NULL, error);
	return loaded->endpoint_table != NULL;
}

static bool
has_forward(const struct agent_settings *settings, const char *name)
{
	for (size_t i = 0; i < settings->forwards.count; i++)
		if (strcmp(agent_settings_forward(settings, i)->name, name) == 0)
			return true;
	return false;
}

/* Of files that the configuration named before, too; those of others are new anyway.  The stamps stay as they
 * are, since what was loaded may not come in force. */
static void
find_changed_files(const struct agent_live *live, struct agent_loaded *loaded)
{
	struct credentials_stamp credentials = live->credentials_stamp;
	bool parts[CREDENTIALS_PARTS];
	char part[PART_TEXT];

	credentials_files_changed(&live->settings, &credentials, parts);
	for (enum credentials_part i = 0; i < CREDENTIALS_PARTS; i++)
		if (parts[i])
			conf_changes_add(&loaded->changes, credentials_part_key(i));
	for (size_t i = 0; i < live->settings.endpoints.count; i++) {
		const struct endpoint_settings *settings =
		    agent_settings_endpoint(&live->settings, i);
		struct endpoint_stamp stamp = live->endpoint_stamps[i];

		if (!endpoint_files_changed(settings, &live->settings, &stamp) ||
		    !endpoint_table_find_settings(loaded->endpoint_table, settings))
			continue;
		agent_reload_part_of_endpoint(live, i, part);
		conf_changes_add(&loaded->changes, part);
	}
}

static void
find_changed_forwards(struct agent_live *live, struct agent_loaded *loaded)
{
	char part[PART_TEXT];
	bool ignored;

	for (size_t i = 0; i < live->settings.forwards.count; i++) {
		const char *name = agent_settings_forward(&live->settings, i)->name;

		agent_reload_part_of_forward(live, i, part);
		if (forwards_files_changed(live->forwards, &live->settings, i, &ignored) &&
		    has_forward(&loaded->settings, name))
			conf_changes_add(&loaded->changes, part);
	}
}

void
agent_reload_load(struct agent_live *live, struct agent_loaded *loaded)
{
	mistakes_open(&loaded->mistakes);
	loaded->is_read =
	    agent_settings_read(&loaded->settings, live->config_path, loaded->mistakes.out) == 0;
	loaded->is_fine = loaded->is_read && is_in_reach(live, loaded) && load_files(live, loaded);
	if (!loaded->is_fine)
		return;
	agent_settings_compare(&live->settings, &loaded->settings, &loaded->changes);
	find_changed_files(live, loaded);
}

/* ---- in force ---- */

/* What is left to be loaded; the links to relays come last, because nothing after them can fail. */
static struct forward_plan *
load_rest(struct agent_live *live, struct agent_loaded *loaded)
{
	struct forward_plan *forwards;
	int code;

	if (!loaded->is_fine)
		return NULL;
	forwards = forwards_plan(live->forwards, &loaded->settings, loaded->error, &code);
	if (!forwards || relay_links_set(&live->links, &loaded->paths->labels))
		return forwards;
	forward_plan_free(forwards);
	snprintf(loaded->error, sizeof loaded->error, "memory is short");
	return NULL;
}

/* Takes what was loaded; what was in force before goes into its place. */
static void
put_in_force(struct agent_live *live, struct agent_loaded *loaded, struct forward_plan *forwards)
{
	struct agent_settings old_settings = live->settings;
	struct endpoint_stamp *old_stamps = live->endpoint_stamps;
	struct credentials *old_credentials = live->context.credentials;
	struct relay_paths *old_paths = live->context.paths;
	struct endpoint_table *table = loaded->endpoint_table;

	warn_restart(&old_settings, &loaded->settings);
	loaded->retired = endpoint_table_hold(live->context.endpoint_table);
	live->settings = loaded->settings;
	live->in_force_s = clock_wall_s();
	live->crl_stamp = loaded->crl_stamp;
	live->credentials_stamp = loaded->credentials_stamp;
	live->endpoint_stamps = loaded->endpoint_stamps;
	live->context.credentials = loaded->credentials;
	live->context.paths = loaded->paths;
	live->context.proxy = egress_proxy(loaded->paths->egress);
	loaded->settings = old_settings;
	loaded->endpoint_stamps = old_stamps;
	loaded->credentials = old_credentials;
	loaded->paths = old_paths;
	loaded->endpoint_table = NULL;
	log_init("valise-agent", (enum log_level)live->settings.log.level,
	    (enum log_format)live->settings.log.format);
	agent_context_configure(&live->context, &live->settings, &live->state);
	agent_reload_set_limits(live);
	agent_acme_set(live->acme);
	agent_reload_publish(live, table);
	forwards_take(live->forwards, forwards, &live->settings);
	relay_links_renew(&live->links,
	    agent_reload_is_renewed(old_credentials, live->context.credentials) ||
		relay_paths_differ(old_paths, live->context.paths));
	relay_paths_tell(live->context.paths);
	sources_warn(live->context.credentials->relays, "agent.connect_cas");
	reload_faults_mend(&live->faults, NULL);
	agent_reload_refresh_crls(live);
	agent_reload_tell_states(live);
	agent_renew_follow(&live->renew, &live->context, &live->settings);
}

void
agent_reload_drop(struct agent_loaded *loaded)
{
	mistakes_close(&loaded->mistakes, true, old_configuration, NULL);
	release_own(loaded);
}

bool
agent_reload_take(
    struct agent_live *live, struct agent_loaded *loaded, const struct reload_asker *asker)
{
	struct reload_fault_listener listener;
	struct forward_plan *forwards;
	char changed[CONF_CHANGES_TEXT];

	reload_faults_listen(&listener, &live->faults, configuration_part, asker);
	mistakes_close(&loaded->mistakes, loaded->is_read, old_configuration, &listener.asker);
	forwards = load_rest(live, loaded);
	if (forwards) {
		find_changed_forwards(live, loaded);
		put_in_force(live, loaded, forwards);
		log_audit(LOG_INFO, "reloaded", "the configuration is in force",
		    log_u64("endpoints", live->context.endpoint_table->count),
		    log_str("changed", conf_changes_text(&loaded->changes, changed)));
	} else if (loaded->is_read) {
		mistakes_tell(loaded->error, old_configuration, &listener.asker);
	}
	release_own(loaded);
	return forwards != NULL;
}

bool
agent_reload_settings(struct agent_live *live, const struct reload_asker *asker)
{
	struct agent_loaded loaded = { 0 };
	bool is_fine;

	if (!live->config_path) {
		agent_reload_files(live);
		return true;
	}
	agent_reload_load(live, &loaded);
	is_fine = agent_reload_take(live, &loaded, asker);
	if (is_fine)
		agent_reload_warn_endpoints(&live->settings);
	agent_reload_wipe(&loaded);
	return is_fine;
}
