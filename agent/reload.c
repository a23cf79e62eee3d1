/*
 * What changes while the agent runs.
 */
#include "agent/reload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/crossing.h"
#include "agent/endpoint_health.h"
#include "agent/sources.h"
#include "base/admin.h"
#include "base/clock.h"
#include "base/host.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/mistakes.h"

enum {
	DAY_S = 86400,
	RETRY_TICKS = 5, /* a second each */
	PART_TEXT = 160,
};

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

/* Nobody will accept it yet, if the clock is right. */
static void
warn_early(const struct cert_facts *facts, const char *path)
{
	char sentence[CERT_ERROR];

	if (cert_is_early(facts, path, clock_wall_s(), sentence))
		log_event(LOG_WARNING, "clock-doubted", sentence, log_str("file", path));
}

void
agent_reload_warn_expiry(const struct agent_live *live)
{
	const struct own_certificate *own = live->context.credentials->own;
	const struct cert_facts *facts = own ? &own->facts : NULL;
	int64_t left_s;

	if (!facts)
		return;
	left_s = facts->not_after - clock_wall_s();
	warn_early(facts, live->settings.certificate);
	if (left_s < (facts->not_after - facts->not_before) / 3)
		log_event(LOG_WARNING, "certificate-expires",
		    left_s > 0
			? "agent.certificate expires soon; a renewed file is taken up by itself"
			: "agent.certificate has expired; a renewed file is taken up by itself",
		    log_str("file", live->settings.certificate), log_i64("days", left_s / DAY_S));
}

static void
warn_endpoint_certificate(const char *path)
{
	struct cert_facts facts;
	char ignored[CERT_ERROR];

	if (cert_load(&facts, path, ignored))
		warn_early(&facts, path);
	cert_wipe(&facts);
}

static void
warn_endpoint_certificates(const struct endpoint_settings *endpoint)
{
	const struct termination_settings *termination = &endpoint->termination;

	for (size_t i = 0; i < agent_settings_certificate_count(termination); i++)
		warn_endpoint_certificate(agent_settings_certificate(termination, i)->certificate);
}

static void
warn_endpoint(const struct agent_settings *settings, size_t index)
{
	const struct endpoint_settings *endpoint = agent_settings_endpoint(settings, index);
	const char *unsealed = agent_settings_unsealed_warning(endpoint);
	const char *unverified = agent_settings_unverified_warning(&endpoint->upstream);
	char sentence[CROSSING_SENTENCE];

	warn_endpoint_certificates(endpoint);
	if (crossing_warning(settings, index, sentence))
		log_event(
		    LOG_WARNING, "upstream-shared", sentence, log_str("endpoint", endpoint->name));
	if (unsealed)
		log_event(
		    LOG_WARNING, "address-unsealed", unsealed, log_str("endpoint", endpoint->name));
	if (unverified)
		log_event(LOG_WARNING, "upstream-unverified", unverified,
		    log_str("endpoint", endpoint->name),
		    log_str("upstream", endpoint->upstream.url.items[0]));
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

/* What one look at the files finds, and what comes of it. */
struct look {
	struct agent_live *live;
	bool parts[CREDENTIALS_PARTS]; /* of the credentials: to be loaded again */
	bool *stale;                   /* the same of each endpoint */
	bool *trust_stale;             /* and whether its CAs and CRLs are among that */
	bool *stale_forwards, *trust_stale_forwards;
	bool has_found; /* any of them */
	/* Nothing has changed, but what was refused is tried again, because it may have been the clock.
	 * Only a success is worth a word. */
	bool is_retry;
	struct conf_changes changes; /* what is new in force */
};

static void
part_of_endpoint(const struct agent_live *live, size_t index, char part[PART_TEXT])
{
	snprintf(
	    part, PART_TEXT, "endpoint %s", agent_settings_endpoint(&live->settings, index)->name);
}

static void
part_of_forward(const struct agent_live *live, size_t index, char part[PART_TEXT])
{
	snprintf(
	    part, PART_TEXT, "forward %s", agent_settings_forward(&live->settings, index)->name);
}

static const struct endpoint *
endpoint_at(const struct agent_live *live, const struct endpoint_table *table, size_t index)
{
	return endpoint_table_find_settings(table, agent_settings_endpoint(&live->settings, index));
}

/* A trust set without sense of time is in force, but it is not what the files say. */
static void
tell_doubt(struct agent_live *live, const char *part, const char *doubt)
{
	log_audit(LOG_ERROR, "clock-doubted", doubt, log_str("part", part));
	reload_faults_note(&live->faults, part, doubt, clock_wall_s());
}

static void
tell_refused(struct look *look, const char *part, const char *sentence)
{
	if (look->is_retry)
		return;
	mistakes_tell(sentence, "what was loaded before", NULL);
	reload_faults_note(&look->live->faults, part, sentence, clock_wall_s());
}

/* The part was loaded, if only to wait for the clock. */
static void
tell_loaded(struct look *look, const char *part, const char *doubt)
{
	if (!doubt) {
		reload_faults_mend(&look->live->faults, part);
		conf_changes_add(&look->changes, part);
	} else if (!look->is_retry)
		tell_doubt(look->live, part, doubt);
}

/* All but the certificates was loaded. */
static void
tell_lent(struct look *look, const char *part)
{
	char what[PART_TEXT + 32];

	snprintf(what, sizeof what, "CAs and CRLs of %s", part);
	conf_changes_add(&look->changes, what);
}

static void
find_changes(struct look *look)
{
	struct agent_live *live = look->live;

	look->has_found =
	    credentials_files_changed(&live->settings, &live->credentials_stamp, look->parts);
	for (size_t i = 0; i < live->settings.endpoints.count; i++) {
		const struct endpoint_stamp before = live->endpoint_stamps[i];

		look->stale[i] = endpoint_files_changed(agent_settings_endpoint(&live->settings, i),
		    &live->settings, &live->endpoint_stamps[i]);
		look->trust_stale[i] = endpoint_trust_changed(&before, &live->endpoint_stamps[i]);
		look->has_found |= look->stale[i];
	}
	for (size_t i = 0; i < live->settings.forwards.count; i++) {
		look->stale_forwards[i] = forwards_files_changed(
		    live->forwards, &live->settings, i, &look->trust_stale_forwards[i]);
		look->has_found |= look->stale_forwards[i];
	}
}

static void
find_refused(struct look *look)
{
	struct agent_live *live = look->live;
	char part[PART_TEXT];

	for (enum credentials_part i = 0; i < CREDENTIALS_PARTS; i++) {
		look->parts[i] = reload_faults_have(&live->faults, credentials_part_key(i));
		look->has_found |= look->parts[i];
	}
	for (size_t i = 0; i < live->settings.endpoints.count; i++) {
		part_of_endpoint(live, i, part);
		look->stale[i] = reload_faults_have(&live->faults, part);
		look->has_found |= look->stale[i];
	}
	for (size_t i = 0; i < live->settings.forwards.count; i++) {
		part_of_forward(live, i, part);
		look->stale_forwards[i] = reload_faults_have(&live->faults, part);
		look->has_found |= look->stale_forwards[i];
	}
	look->is_retry = true;
}

/* What has changed in the CRL files of one key may count for the trust sets of others. */
static void
find_behind(struct look *look)
{
	struct agent_live *live = look->live;
	const struct crl_catalogue *catalogue = live->settings.catalogue;
	int64_t now_s = clock_wall_s();

	if (!catalogue)
		return;
	if (live->context.credentials->relays)
		look->parts[CREDENTIALS_RELAYS] |=
		    trust_is_behind(live->context.credentials->relays, catalogue, now_s);
	look->has_found |= look->parts[CREDENTIALS_RELAYS];
	for (size_t i = 0; i < live->settings.endpoints.count; i++) {
		const struct endpoint *endpoint =
		    endpoint_at(live, live->context.endpoint_table, i);

		look->trust_stale[i] |= endpoint && endpoint_is_behind(endpoint, catalogue, now_s);
		look->stale[i] |= look->trust_stale[i];
		look->has_found |= look->stale[i];
	}
	for (size_t i = 0; i < live->settings.forwards.count; i++) {
		look->trust_stale_forwards[i] |=
		    forwards_is_behind(live->forwards, i, catalogue, now_s);
		look->stale_forwards[i] |= look->trust_stale_forwards[i];
		look->has_found |= look->stale_forwards[i];
	}
}

static void
look_at_files(struct look *look)
{
	struct agent_live *live = look->live;
	bool is_catalogue_new = sources_catalogue(&live->settings, &live->crl_stamp);

	find_changes(look);
	if (!look->has_found && live->faults.count > 0 && ++live->retries % RETRY_TICKS == 0)
		find_refused(look);
	if (look->has_found || is_catalogue_new)
		find_behind(look);
}

void
agent_reload_watch_health(struct agent_live *live)
{
	live->is_health_behind = !endpoint_health_watch(live->health, live->context.endpoint_table);
	if (live->is_health_behind)
		memory_short("health checks, which begin later");
}

/* Gives the new table to everybody who works by the old one. */
static void
publish(struct agent_live *live, struct endpoint_table *table)
{
	endpoint_table_release(live->context.endpoint_table);
	live->context.endpoint_table = table;
	agent_workers_publish(live->context.workers, table);
	agent_reload_watch_health(live);
	probes_set(live->probes, table);
	relay_links_refresh(&live->links, clock_wall_s());
}

static bool
is_renewed(const struct credentials *before, const struct credentials *now)
{
	if (!before->own || !now->own)
		return before->own != now->own;
	return strcmp(before->own->facts.fingerprint, now->own->facts.fingerprint) != 0;
}

/* After this all files count as changed, so that the next tick loads them again. */
static void
forget_stamps(struct agent_live *live)
{
	memset(&live->credentials_stamp, 0, sizeof live->credentials_stamp);
	memset(live->endpoint_stamps, 0,
	    live->settings.endpoints.count * sizeof *live->endpoint_stamps);
	forwards_forget_stamps(live->forwards);
}

/* NULL when memory is short. */
static struct credentials *
load_credentials(struct look *look)
{
	struct agent_live *live = look->live;
	char errors[CREDENTIALS_PARTS][CREDENTIALS_ERROR];
	struct credentials *fresh;

	memory_begin();
	fresh = credentials_renew(&live->settings, live->context.credentials, look->parts, errors);
	for (enum credentials_part i = 0; fresh && i < CREDENTIALS_PARTS; i++) {
		const char *key = credentials_part_key(i);

		if (errors[i][0] != '\0' && memory_has_failed()) {
			credentials_release(fresh);
			return NULL;
		}
		if (errors[i][0] != '\0')
			tell_refused(look, key, errors[i]);
		else if (look->parts[i])
			tell_loaded(
			    look, key, i == CREDENTIALS_RELAYS ? trust_doubt(fresh->relays) : NULL);
	}
	return fresh;
}

static void
on_endpoint_refused(void *arg, size_t index, const char *sentence)
{
	struct look *look = arg;
	char part[PART_TEXT];

	part_of_endpoint(look->live, index, part);
	tell_refused(look, part, sentence);
	look->stale[index] = false;
}

/* NULL when memory is short. */
static struct endpoint_table *
load_endpoints(struct look *look, struct trust *relays)
{
	struct agent_live *live = look->live;
	const struct endpoint_reload reload = { look->stale, look->trust_stale, on_endpoint_refused,
		look };
	char error[ENDPOINT_ERROR], part[PART_TEXT];
	struct endpoint_table *table = endpoint_table_new(
	    &live->settings, relays, live->context.endpoint_table, &reload, error);

	for (size_t i = 0; table && i < live->settings.endpoints.count; i++) {
		part_of_endpoint(live, i, part);
		if (look->stale[i])
			tell_loaded(look, part, endpoint_doubt(endpoint_at(live, table, i)));
		else if (endpoint_at(live, table, i) !=
		    endpoint_at(live, live->context.endpoint_table, i))
			tell_lent(look, part);
	}
	return table;
}

static void
on_forward_refused(void *arg, size_t index, const char *sentence)
{
	struct look *look = arg;
	char part[PART_TEXT];

	part_of_forward(look->live, index, part);
	tell_refused(look, part, sentence);
	look->stale_forwards[index] = false;
}

static void
on_forward_lent(void *arg, size_t index)
{
	struct look *look = arg;
	char part[PART_TEXT];

	part_of_forward(look->live, index, part);
	tell_lent(look, part);
}

/* NULL when memory is short. */
static struct forward_plan *
load_forwards(struct look *look)
{
	const struct forward_reload reload = { look->stale_forwards, look->trust_stale_forwards,
		on_forward_refused, on_forward_lent, look };

	return forwards_plan_again(look->live->forwards, &look->live->settings, &reload);
}

static void
tell_forwards(struct look *look)
{
	char part[PART_TEXT];

	for (size_t i = 0; i < look->live->settings.forwards.count; i++) {
		if (!look->stale_forwards[i])
			continue;
		part_of_forward(look->live, i, part);
		tell_loaded(look, part, forwards_doubt(look->live->forwards, i));
	}
}

static void
put_files_in_force(struct look *look, struct credentials *credentials, struct endpoint_table *table)
{
	struct agent_live *live = look->live;
	struct credentials *before = live->context.credentials;
	char changed[CONF_CHANGES_TEXT];

	live->context.credentials = credentials;
	publish(live, table);
	if (look->parts[CREDENTIALS_OWN] || look->parts[CREDENTIALS_RELAYS])
		relay_links_renew(&live->links, is_renewed(before, credentials));
	credentials_release(before);
	sources_warn(credentials->relays, "agent.connect_cas");
	agent_reload_warn_expiry(live);
	log_audit(LOG_INFO, "files-reloaded", "what has changed in the files is in force",
	    log_str("changed", conf_changes_text(&look->changes, changed)));
}

/* All that can be loaded is swapped at once. */
static void
take(struct look *look)
{
	struct credentials *fresh = load_credentials(look);
	struct endpoint_table *table = fresh ? load_endpoints(look, fresh->relays) : NULL;
	struct forward_plan *forwards = table ? load_forwards(look) : NULL;

	if (forwards) {
		forwards_put_in_force(look->live->forwards, forwards);
		tell_forwards(look);
	}
	if (forwards && look->changes.text[0] != '\0') {
		put_files_in_force(look, fresh, table);
		return;
	}
	if (!forwards) {
		memory_short("a load of changed files, which are not in force yet");
		forget_stamps(look->live);
	}
	endpoint_table_release(table);
	credentials_release(fresh);
}

void
agent_reload_files(struct agent_live *live)
{
	size_t count = live->settings.endpoints.count, forwards = live->settings.forwards.count;
	struct look look = { .live = live,
		.stale = calloc(2 * (count + forwards) + 1, sizeof(bool)) };

	if (!look.stale)
		return; /* the stamps are as they were: the next tick sees the same changes */
	look.trust_stale = look.stale + count;
	look.stale_forwards = look.trust_stale + count;
	look.trust_stale_forwards = look.stale_forwards + forwards;
	look_at_files(&look);
	if (look.has_found)
		take(&look);
	free(look.stale);
}

void
agent_reload_tell_doubts(struct agent_live *live)
{
	struct trust *relays = live->context.credentials->relays;
	const char *doubt = relays ? trust_doubt(relays) : NULL;
	char part[PART_TEXT];

	if (doubt)
		tell_doubt(live, credentials_part_key(CREDENTIALS_RELAYS), doubt);
	for (size_t i = 0; i < live->settings.endpoints.count; i++) {
		doubt = endpoint_doubt(endpoint_at(live, live->context.endpoint_table, i));
		part_of_endpoint(live, i, part);
		if (doubt)
			tell_doubt(live, part, doubt);
	}
	for (size_t i = 0; i < live->settings.forwards.count; i++) {
		doubt = forwards_doubt(live->forwards, i);
		part_of_forward(live, i, part);
		if (doubt)
			tell_doubt(live, part, doubt);
	}
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
};

static void
loaded_wipe(struct loaded *loaded)
{
	agent_settings_wipe(&loaded->settings);
	free(loaded->endpoint_stamps);
	credentials_release(loaded->credentials);
	endpoint_table_release(loaded->endpoint_table);
	forward_plan_free(loaded->forwards);
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
		loaded->credentials = credentials_new(settings, live->context.credentials, error);
	if (loaded->credentials)
		loaded->endpoint_table = endpoint_table_new(settings, loaded->credentials->relays,
		    live->context.endpoint_table, NULL, error);
	if (loaded->endpoint_table)
		loaded->forwards = forwards_plan(live->forwards, settings, error, &code);
	if (loaded->forwards) {
		if (relay_links_set(&live->links, &settings->connect_url))
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

		part_of_endpoint(live, i, part);
		if (endpoint_files_changed(settings, &live->settings, &live->endpoint_stamps[i]) &&
		    endpoint_table_find_settings(loaded->endpoint_table, settings))
			conf_changes_add(changes, part);
	}
	for (size_t i = 0; i < live->settings.forwards.count; i++) {
		const char *name = agent_settings_forward(&live->settings, i)->name;

		part_of_forward(live, i, part);
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
	forwards_take(live->forwards, loaded->forwards, &live->settings);
	relay_links_renew(&live->links, is_renewed(old.credentials, live->context.credentials));
	sources_warn(live->context.credentials->relays, "agent.connect_cas");
	agent_reload_warn_endpoints(live);
	reload_faults_mend(&live->faults, NULL);
	agent_reload_tell_doubts(live);
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
