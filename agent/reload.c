/*
 * What changes while the agent runs.
 */
#include "agent/reload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/crossing.h"
#include "agent/sources.h"
#include "base/admin.h"
#include "base/clock.h"
#include "base/host.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/mistakes.h"

enum { DAY_S = 86400 };

/* NULL when memory is short. */
static struct endpoint_stamp *
note_stamps(struct agent_settings *settings, struct trust_stamp *crl_stamp,
    struct credentials_stamp *credentials_stamp)
{
	struct endpoint_stamp *stamps = calloc(settings->endpoints.count + 1, sizeof *stamps);

	if (!stamps)
		return NULL;
	sources_catalogue(settings, crl_stamp);
	credentials_files_changed(settings, credentials_stamp);
	for (size_t i = 0; i < settings->endpoints.count; i++)
		endpoint_files_changed(
		    agent_settings_endpoint(settings, i), settings, &stamps[i]);
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
agent_reload_warn_expiry(const struct agent_live *live)
{
	const struct cert_facts *facts = &live->context.credentials->certificate;
	int64_t left_s = facts->not_after - clock_wall_s();

	if (left_s < (facts->not_after - facts->not_before) / 3)
		log_event(LOG_WARNING, "certificate-expires",
		    left_s > 0
			? "agent.certificate expires soon; a renewed file is taken up by itself"
			: "agent.certificate has expired; a renewed file is taken up by itself",
		    log_str("file", live->settings.certificate), log_i64("days", left_s / DAY_S));
}

static void
warn_endpoint(const struct agent_settings *settings, size_t index)
{
	const struct endpoint_settings *endpoint = agent_settings_endpoint(settings, index);
	const char *unsealed = agent_settings_unsealed_warning(endpoint);
	char sentence[CROSSING_SENTENCE];

	if (crossing_warning(settings, index, sentence))
		log_event(
		    LOG_WARNING, "upstream-shared", sentence, log_str("endpoint", endpoint->name));
	if (unsealed)
		log_event(
		    LOG_WARNING, "address-unsealed", unsealed, log_str("endpoint", endpoint->name));
}

void
agent_reload_warn_endpoints(const struct agent_live *live)
{
	for (size_t i = 0; i < live->settings.endpoints.count; i++)
		warn_endpoint(&live->settings, i);
}

void
agent_reload_set_limits(struct agent_live *live)
{
	agent_limits_derive(&live->limits, &live->settings, live->descriptors, host_memory());
	agent_workers_set_limits(live->context.workers, &live->limits);
	live->context.pool_most = (unsigned)live->limits.pool_most;
}

/* ---- files ---- */

static bool
take_credentials(struct agent_live *live)
{
	char error[CREDENTIALS_ERROR];
	struct credentials *fresh;

	memory_begin();
	fresh = credentials_new(&live->settings, live->context.credentials, error);
	if (!fresh) {
		if (memory_has_failed()) /* the next tick tries again */
			live->credentials_stamp = (struct credentials_stamp){ 0 };
		mistakes_tell(error, "what was loaded before", NULL);
		return false;
	}
	credentials_release(live->context.credentials);
	live->context.credentials = fresh;
	sources_warn(fresh->relays, "agent.connect_cas");
	agent_reload_warn_expiry(live);
	return true;
}

/* Gives the new table to everybody who works by the old one. */
static void
publish(struct agent_live *live, struct endpoint_table *table)
{
	endpoint_table_release(live->context.endpoint_table);
	live->context.endpoint_table = table;
	agent_workers_publish(live->context.workers, table);
	relay_links_refresh(&live->links, clock_wall_s());
}

static bool
is_renewed(const struct credentials *before, const struct credentials *now)
{
	return strcmp(before->certificate.fingerprint, now->certificate.fingerprint) != 0;
}

/* What has changed in the files of other keys may count for this endpoint, too. */
static bool
is_stale(struct agent_live *live, size_t index, bool is_catalogue_new)
{
	const struct endpoint_settings *settings = agent_settings_endpoint(&live->settings, index);
	const struct endpoint *endpoint =
	    endpoint_table_find_settings(live->context.endpoint_table, settings);
	bool has_changed =
	    endpoint_files_changed(settings, &live->settings, &live->endpoint_stamps[index]);

	return has_changed ||
	    (is_catalogue_new && endpoint &&
		endpoint_is_behind(endpoint, live->settings.catalogue, clock_wall_s()));
}

static bool
find_stale(struct agent_live *live, bool is_catalogue_new, bool *stale)
{
	bool any = false;

	for (size_t i = 0; i < live->settings.endpoints.count; i++) {
		stale[i] = is_stale(live, i, is_catalogue_new);
		any |= stale[i];
	}
	return any;
}

static bool
are_credentials_stale(struct agent_live *live, bool is_catalogue_new)
{
	bool have_changed = credentials_files_changed(&live->settings, &live->credentials_stamp);

	return have_changed ||
	    (is_catalogue_new &&
		trust_is_behind(live->context.credentials->relays, live->settings.catalogue,
		    clock_wall_s()));
}

/* After this all files count as changed, so that the next tick loads them again. */
static void
forget_stamps(struct agent_live *live)
{
	memset(&live->credentials_stamp, 0, sizeof live->credentials_stamp);
	memset(live->endpoint_stamps, 0,
	    live->settings.endpoints.count * sizeof *live->endpoint_stamps);
}

/* Loads the stale endpoints again, and all by the trust in relays of now. */
static bool
take_endpoints(struct agent_live *live, const bool *stale)
{
	char error[ENDPOINT_ERROR];
	struct endpoint_table *table = endpoint_table_new(&live->settings,
	    live->context.credentials->relays, live->context.endpoint_table, stale, error);

	if (table) {
		publish(live, table);
		return true;
	}
	memory_short("a load of changed files, which are not in force yet");
	forget_stamps(live);
	return false;
}

void
agent_reload_files(struct agent_live *live)
{
	bool *stale = calloc(live->settings.endpoints.count + 1, sizeof *stale);
	struct credentials *before;
	bool is_catalogue_new, credentials_changed, endpoints_changed;

	if (!stale)
		return; /* the stamps are as they were: the next tick sees the same changes */
	before = credentials_hold(live->context.credentials);
	is_catalogue_new = sources_catalogue(&live->settings, &live->crl_stamp);
	credentials_changed =
	    are_credentials_stale(live, is_catalogue_new) && take_credentials(live);
	endpoints_changed = find_stale(live, is_catalogue_new, stale);
	if ((credentials_changed || endpoints_changed) && take_endpoints(live, stale))
		log_audit(LOG_INFO, "files-reloaded", "certificates, CAs or CRLs have changed",
		    log_bool("credentials", credentials_changed),
		    log_bool("endpoints", endpoints_changed));
	if (credentials_changed)
		relay_links_renew(&live->links, is_renewed(before, live->context.credentials));
	credentials_release(before);
	free(stale);
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
};

static void
loaded_wipe(struct loaded *loaded)
{
	agent_settings_wipe(&loaded->settings);
	free(loaded->endpoint_stamps);
	credentials_release(loaded->credentials);
	endpoint_table_release(loaded->endpoint_table);
}

/* All or nothing; the links to relays come last, because nothing after them can fail. */
static bool
load_all(struct agent_live *live, struct loaded *loaded, const struct reload_asker *asker)
{
	struct agent_settings *settings = &loaded->settings;
	char error[ENDPOINT_ERROR] = "memory is short";

	loaded->endpoint_stamps =
	    note_stamps(settings, &loaded->crl_stamp, &loaded->credentials_stamp);
	if (loaded->endpoint_stamps)
		loaded->credentials = credentials_new(settings, live->context.credentials, error);
	if (loaded->credentials)
		loaded->endpoint_table = endpoint_table_new(settings, loaded->credentials->relays,
		    live->context.endpoint_table, NULL, error);
	if (loaded->endpoint_table) {
		if (relay_links_set(&live->links, &settings->connect_url))
			return true;
		snprintf(error, sizeof error, "memory is short");
	}
	mistakes_tell(error, old_configuration, asker);
	return false;
}

/* Takes what was loaded; what was in force before goes into its place. */
static void
put_in_force(struct agent_live *live, struct loaded *loaded)
{
	struct loaded old = {
		.settings = live->settings,
		.endpoint_stamps = live->endpoint_stamps,
		.credentials = live->context.credentials,
	};

	warn_restart(&old.settings, &loaded->settings);
	live->settings = loaded->settings;
	live->crl_stamp = loaded->crl_stamp;
	live->credentials_stamp = loaded->credentials_stamp;
	live->endpoint_stamps = loaded->endpoint_stamps;
	live->context.credentials = loaded->credentials;
	log_init("valise-agent", (enum log_level)live->settings.log.level,
	    (enum log_format)live->settings.log.format);
	agent_context_configure(&live->context, &live->settings, &live->state);
	agent_reload_set_limits(live);
	publish(live, loaded->endpoint_table);
	relay_links_renew(&live->links, is_renewed(old.credentials, live->context.credentials));
	sources_warn(live->context.credentials->relays, "agent.connect_cas");
	agent_reload_warn_endpoints(live);
	*loaded = old;
}

bool
agent_reload_settings(struct agent_live *live, const struct reload_asker *asker)
{
	struct loaded loaded = { 0 };
	bool is_fine;

	if (!live->config_path) {
		agent_reload_files(live);
		return true;
	}
	is_fine = read_settings(&loaded.settings, live->config_path, asker) &&
	    load_all(live, &loaded, asker);
	if (is_fine) {
		put_in_force(live, &loaded);
		log_audit(LOG_INFO, "reloaded", "the configuration is in force",
		    log_u64("endpoints", live->context.endpoint_table->count));
	}
	loaded_wipe(&loaded);
	return is_fine;
}
