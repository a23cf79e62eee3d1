/*
 * The configuration at SIGHUP: read, verified and loaded whole, then put in force at once.
 */
#include "agent/reload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/acme.h"
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

/* ---- the configuration ---- */

static const char old_configuration[] = "the old configuration";

/* Wipe them in any case. */
static bool
read_settings(struct agent_settings *fresh, const char *path, const struct reload_asker *asker)
{
	struct mistakes mistakes;
	bool is_fine;

	mistakes_open(&mistakes);
	is_fine = agent_settings_read(fresh, path, mistakes.out) == 0;
	mistakes_close(&mistakes, is_fine, old_configuration, asker);
	return is_fine;
}

static void
warn_restart(const struct agent_settings *old, const struct agent_settings *fresh)
{
	char before[ADMIN_PATH], after[ADMIN_PATH];

	if (agent_settings_workers(old) != agent_settings_workers(fresh))
		log_event(LOG_WARNING, "restart-needed", "workers change only at a restart");
	if (strcmp(admin_path(old->admin_socket, old->state_dir, before),
		admin_path(fresh->admin_socket, fresh->state_dir, after)) != 0)
		log_event(LOG_WARNING, "restart-needed", "admin.socket changes only at a restart");
	if (strcmp(old->state_dir, fresh->state_dir) != 0)
		log_event(
		    LOG_WARNING, "restart-needed", "agent.state_dir changes only at a restart");
}

/* What a whole configuration needs; loaded, and then put in force at once. */
struct loaded {
	struct agent_settings settings;
	struct trust_stamp crl_stamp;
	struct credentials_stamp credentials_stamp;
	struct endpoint_stamp *endpoint_stamps;
	struct credentials *credentials;
	struct endpoint_table *endpoint_table;
	struct forward_plan *forwards;
	struct relay_paths *paths;
};

static void
loaded_wipe(struct loaded *loaded)
{
	agent_settings_wipe(&loaded->settings);
	free(loaded->endpoint_stamps);
	credentials_release(loaded->credentials);
	endpoint_table_release(loaded->endpoint_table);
	forward_plan_free(loaded->forwards);
	relay_paths_free(loaded->paths);
}

/* All or nothing; the links to relays come last, because nothing after them can fail. */
static bool
load_all(struct agent_live *live, struct loaded *loaded, const struct reload_asker *asker)
{
	struct agent_settings *settings = &loaded->settings;
	char error[ENDPOINT_ERROR] = "memory is short";
	int code;

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
	if (loaded->endpoint_table)
		loaded->forwards = forwards_plan(live->forwards, settings, error, &code);
	if (loaded->forwards) {
		if (relay_links_set(&live->links, &loaded->paths->labels))
			return true;
		snprintf(error, sizeof error, "memory is short");
	}
	mistakes_tell(error, old_configuration, asker);
	return false;
}

static bool
has_forward(const struct agent_settings *settings, const char *name)
{
	for (size_t i = 0; i < settings->forwards.count; i++)
		if (strcmp(agent_settings_forward(settings, i)->name, name) == 0)
			return true;
	return false;
}

/* Of files that the configuration named before, too; those of others are new anyway. */
static void
find_changed_files(
    struct agent_live *live, const struct loaded *loaded, struct conf_changes *changes)
{
	bool parts[CREDENTIALS_PARTS], ignored;
	char part[PART_TEXT];

	credentials_files_changed(&live->settings, &live->credentials_stamp, parts);
	for (enum credentials_part i = 0; i < CREDENTIALS_PARTS; i++)
		if (parts[i])
			conf_changes_add(changes, credentials_part_key(i));
	for (size_t i = 0; i < live->settings.endpoints.count; i++) {
		const struct endpoint_settings *settings =
		    agent_settings_endpoint(&live->settings, i);

		agent_reload_part_of_endpoint(live, i, part);
		if (endpoint_files_changed(settings, &live->settings, &live->endpoint_stamps[i]) &&
		    endpoint_table_find_settings(loaded->endpoint_table, settings))
			conf_changes_add(changes, part);
	}
	for (size_t i = 0; i < live->settings.forwards.count; i++) {
		const char *name = agent_settings_forward(&live->settings, i)->name;

		agent_reload_part_of_forward(live, i, part);
		if (forwards_files_changed(live->forwards, &live->settings, i, &ignored) &&
		    has_forward(&loaded->settings, name))
			conf_changes_add(changes, part);
	}
}

/* Takes what was loaded; what was in force before goes into its place. */
static void
put_in_force(struct agent_live *live, struct loaded *loaded)
{
	struct loaded old = {
		.settings = live->settings,
		.endpoint_stamps = live->endpoint_stamps,
		.credentials = live->context.credentials,
		.paths = live->context.paths,
	};

	warn_restart(&old.settings, &loaded->settings);
	live->settings = loaded->settings;
	live->crl_stamp = loaded->crl_stamp;
	live->credentials_stamp = loaded->credentials_stamp;
	live->endpoint_stamps = loaded->endpoint_stamps;
	live->context.credentials = loaded->credentials;
	live->context.paths = loaded->paths;
	live->context.proxy = egress_proxy(loaded->paths->egress);
	log_init("valise-agent", (enum log_level)live->settings.log.level,
	    (enum log_format)live->settings.log.format);
	agent_context_configure(&live->context, &live->settings, &live->state);
	agent_reload_set_limits(live);
	agent_acme_set(live->acme);
	agent_reload_publish(live, loaded->endpoint_table);
	forwards_take(live->forwards, loaded->forwards, &live->settings);
	relay_links_renew(&live->links,
	    agent_reload_is_renewed(old.credentials, live->context.credentials) ||
		relay_paths_differ(old.paths, live->context.paths));
	relay_paths_tell(live->context.paths);
	sources_warn(live->context.credentials->relays, "agent.connect_cas");
	agent_reload_warn_endpoints(&live->settings);
	reload_faults_mend(&live->faults, NULL);
	agent_reload_refresh_crls(live);
	agent_reload_tell_states(live);
	agent_renew_follow(&live->renew, &live->context, &live->settings);
	*loaded = old;
}

bool
agent_reload_settings(struct agent_live *live, const struct reload_asker *asker)
{
	struct loaded loaded = { 0 };
	struct reload_fault_listener listener;
	struct conf_changes changes = { 0 };
	char changed[CONF_CHANGES_TEXT];
	bool is_fine;

	if (!live->config_path) {
		agent_reload_files(live);
		return true;
	}
	reload_faults_listen(&listener, &live->faults, configuration_part, asker);
	is_fine = read_settings(&loaded.settings, live->config_path, &listener.asker) &&
	    load_all(live, &loaded, &listener.asker);
	if (is_fine) {
		agent_settings_compare(&live->settings, &loaded.settings, &changes);
		find_changed_files(live, &loaded, &changes);
		put_in_force(live, &loaded);
		log_audit(LOG_INFO, "reloaded", "the configuration is in force",
		    log_u64("endpoints", live->context.endpoint_table->count),
		    log_str("changed", conf_changes_text(&changes, changed)));
	}
	loaded_wipe(&loaded);
	return is_fine;
}
