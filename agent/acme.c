/* The names: which certificate each has, and what is to be done about it when. */
#include "agent/acme.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/acme_private.h"
#include "base/admin.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/units.h"

const char *
acme_dir_of(const struct agent_settings *settings)
{
	return settings->acme_dir ? settings->acme_dir : settings->state_dir;
}

/* ---- what each has ---- */

static struct acme_name *
find_name(const struct agent_acme *acme, const char *server_name)
{
	struct acme_name *name;

	TAILQ_FOREACH(name, &acme->names, link)
		if (strcmp(name->server_name, server_name) == 0)
			return name;
	return NULL;
}

/* What is in the file now, whoever has put it there. */
static void
look_at_file(struct acme_name *name, const char *dir)
{
	char path[PATH_MAX], error[FILE_ERROR];
	struct file_stamp now = file_stamp_of(store_certificate_path(dir, name->server_name, path));
	struct secret text = { 0 };
	struct chain_facts facts;

	if (file_stamp_equals(&now, &name->stamp))
		return;
	name->stamp = now;
	name->id[0] = '\0';
	if (now.exists && file_read(&text, path, ACME_BODY_BYTES, error) &&
	    chain_read(&facts, (struct der){ text.data, text.bytes })) {
		schedule_take(&name->schedule, facts.not_before_s, facts.not_after_s);
		memcpy(name->id, facts.id, sizeof name->id);
		if (!store_is_from(dir, name->server_name, name->registration->id, name->key_type))
			schedule_hurry(&name->schedule);
		if (name->schedule.failures == 0)
			name->why[0] = '\0';
	} else
		schedule_take(&name->schedule, 0, 0);
	secret_wipe(&text);
	store_keep_wait(dir, name->server_name, name->settings, &name->schedule, name->why);
}

/* While the old certificate lasts for long nobody is harmed. */
static enum log_level
level_of_failure(const struct schedule *schedule, int64_t now_s)
{
	int64_t left_s = schedule->not_after_s - now_s;

	return left_s < (schedule->not_after_s - schedule->not_before_s) / 6 || left_s <= 0
	    ? LOG_ERROR
	    : LOG_WARNING;
}

void
acme_name_fail(struct acme_name *name, enum acme_failure failure, const char *code,
    const char *sentence, uint64_t retry_after_s)
{
	const struct agent_settings *settings = name->registration->acme->settings;
	int64_t now_s = clock_wall_s();
	enum log_level level = level_of_failure(&name->schedule, now_s);
	char again[TIME_TEXT], ends[TIME_TEXT];

	schedule_take_failure(&name->schedule, failure, retry_after_s, now_s);
	snprintf(name->why, sizeof name->why, "%s", sentence);
	store_keep_wait(
	    acme_dir_of(settings), name->server_name, name->settings, &name->schedule, name->why);
	log_audit(level, "acme-failed", sentence, log_str("endpoint", name->endpoint),
	    log_str("server_name", name->server_name), log_str("code", code),
	    log_str("not_after",
		name->schedule.not_after_s > 0 ? time_text(name->schedule.not_after_s, ends)
					       : NULL),
	    log_str("again", time_text(schedule_due_s(&name->schedule, now_s), again)),
	    log_u64("failures", name->schedule.failures));
}

/* ---- what is done when ---- */

/* Of those of the registration the one that has waited longest, or NULL. */
static struct acme_name *
find_due(const struct agent_acme *acme, const struct acme_registration *registration, int64_t now_s)
{
	struct acme_name *name, *due = NULL;

	TAILQ_FOREACH(name, &acme->names, link)
		if (name->registration == registration && schedule_is_due(&name->schedule, now_s) &&
		    (!due || name->schedule.renew_s < due->schedule.renew_s))
			due = name;
	return due;
}

static struct acme_name *
find_curious(
    const struct agent_acme *acme, const struct acme_registration *registration, int64_t now_s)
{
	struct acme_name *name;

	TAILQ_FOREACH(name, &acme->names, link)
		if (name->registration == registration && name->id[0] != '\0' &&
		    schedule_wants_window(&name->schedule, now_s))
			return name;
	return NULL;
}

static void
begin_next(struct acme_registration *registration, bool is_connected, int64_t now_s)
{
	struct acme_name *due = find_due(registration->acme, registration, now_s), *curious;

	if (registration->wants_key_change)
		acme_registration_change_key(registration);
	else if (due && is_connected)
		acme_registration_order(registration, due);
	else if ((curious = find_curious(registration->acme, registration, now_s)))
		acme_registration_ask_window(registration, curious);
}

void
agent_acme_tick(struct agent_acme *acme, bool is_connected)
{
	int64_t now_s = clock_wall_s();
	struct acme_registration *registration;
	struct acme_name *name;

	TAILQ_FOREACH(name, &acme->names, link)
		look_at_file(name, acme_dir_of(acme->settings));
	TAILQ_FOREACH(registration, &acme->registrations, link) {
		acme_registration_keep(registration);
		if (acme_registration_is_free(registration))
			begin_next(registration, is_connected, now_s);
		else
			acme_registration_tick(registration, now_s);
	}
	acme_pin_tick(acme, now_s);
}

size_t
agent_acme_change_keys(struct agent_acme *acme)
{
	struct acme_registration *registration;
	size_t count = 0;

	TAILQ_FOREACH(registration, &acme->registrations, link) {
		registration->wants_key_change = true;
		count++;
	}
	return count;
}

/* ---- the settings ---- */

static void
drop_registrations(struct agent_acme *acme)
{
	struct acme_registration *registration;

	while ((registration = TAILQ_FIRST(&acme->registrations))) {
		TAILQ_REMOVE(&acme->registrations, registration, link);
		acme_registration_free(registration);
	}
}

static void
drop_names(struct agent_acme *acme)
{
	struct acme_name *name;

	while ((name = TAILQ_FIRST(&acme->names))) {
		TAILQ_REMOVE(&acme->names, name, link);
		free(name);
	}
}

/* NULL when memory is short. */
static struct acme_registration *
registration_for(struct agent_acme *acme, const struct acme_settings *settings)
{
	struct acme_registration *registration;

	TAILQ_FOREACH(registration, &acme->registrations, link)
		if (acme_settings_share(registration->settings, settings))
			return registration;
	registration = acme_registration_new(acme, settings);
	if (registration)
		TAILQ_INSERT_TAIL(&acme->registrations, registration, link);
	return registration;
}

static void
fill_name(struct acme_name *name, const struct endpoint_settings *endpoint, const char *dir)
{
	const struct acme_settings *settings = &endpoint->termination.acme;

	snprintf(name->server_name, sizeof name->server_name, "%s", endpoint->server_name);
	snprintf(name->endpoint, sizeof name->endpoint, "%s", endpoint->name);
	name->key_type = acme_settings_key_type(settings);
	if (settings->caa_resolver)
		address_parse(&name->caa_resolver, settings->caa_resolver);
	acme_settings_digest(settings, name->settings);
	store_read_wait(dir, name->server_name, name->settings, &name->schedule, name->why);
	name->pin = acme_pin_read(dir, name->server_name);
}

/* What is known of it from before the reload stays so.  False when memory is short. */
static bool
add_name(
    struct agent_acme *acme, const struct endpoint_settings *endpoint, struct agent_acme *before)
{
	struct acme_name *name = find_name(before, endpoint->server_name);

	if (name)
		TAILQ_REMOVE(&before->names, name, link);
	else
		name = calloc(1, sizeof *name);
	if (!name)
		return false;
	TAILQ_INSERT_TAIL(&acme->names, name, link);
	name->caa_resolver.bytes = 0;
	name->stamp = (struct file_stamp){ 0 }; /* it may be of another account now */
	fill_name(name, endpoint, acme_dir_of(acme->settings));
	name->registration = registration_for(acme, &endpoint->termination.acme);
	if (name->registration)
		return true;
	TAILQ_REMOVE(&acme->names, name, link);
	free(name);
	return false;
}

void
agent_acme_set(struct agent_acme *acme)
{
	struct agent_acme before = { 0 };
	char error[FILE_ERROR];

	if (!acme)
		return;
	acme_pin_cancel(acme);
	drop_registrations(acme);
	TAILQ_INIT(&before.names);
	TAILQ_CONCAT(&before.names, &acme->names, link);
	for (size_t i = 0; i < acme->settings->endpoints.count; i++) {
		const struct endpoint_settings *endpoint =
		    agent_settings_endpoint(acme->settings, i);

		if (endpoint->termination.acme.mark.line > 0 && !add_name(acme, endpoint, &before))
			memory_short(
			    "a certificate by ACME, which is not renewed until the next reload");
	}
	drop_names(&before);
	if (!TAILQ_EMPTY(&acme->names) && !store_open(acme_dir_of(acme->settings), error))
		log_event(LOG_ERROR, "acme-state", error);
}

void
agent_acme_mend(const struct agent_settings *settings)
{
	char error[FILE_ERROR];

	for (size_t i = 0; i < settings->endpoints.count; i++) {
		const struct endpoint_settings *endpoint = agent_settings_endpoint(settings, i);

		if (endpoint->termination.first.is_acme &&
		    !store_mend(acme_dir_of(settings), endpoint->server_name, error))
			log_event(
			    LOG_ERROR, "acme-state", error, log_str("endpoint", endpoint->name));
	}
}

struct agent_acme *
agent_acme_new(struct agent_context *context, const struct agent_settings *settings)
{
	struct agent_acme *acme = calloc(1, sizeof *acme);

	if (!acme)
		return NULL;
	acme->context = context;
	acme->settings = settings;
	TAILQ_INIT(&acme->names);
	TAILQ_INIT(&acme->registrations);
	return acme;
}

void
agent_acme_free(struct agent_acme *acme)
{
	if (!acme)
		return;
	acme_pin_cancel(acme);
	drop_registrations(acme);
	drop_names(acme);
	free(acme);
}

/* ---- for people ---- */

static const char *
state_of(const struct acme_name *name, int64_t now_s)
{
	if (name->registration->current == name && !name->registration->is_window)
		return "ordering";
	if (schedule_waits(&name->schedule, now_s))
		return "waiting";
	if (name->schedule.not_after_s == 0)
		return "none";
	return now_s < name->schedule.not_after_s ? "valid" : "expired";
}

json_t *
agent_acme_describe(const struct agent_acme *acme, const char *server_name)
{
	const struct acme_name *name = acme ? find_name(acme, server_name) : NULL;
	int64_t now_s = clock_wall_s();
	char until[TIME_TEXT], due[TIME_TEXT], warning[ACME_WARNING];

	if (!name)
		return NULL;
	return json_pack("{s:s, s:s*, s:s, s:s*, s:s, s:I, s:o*, s:s, s:s*}", "directory",
	    name->registration->settings->directory, "account",
	    name->registration->account[0] ? name->registration->account : NULL, "state",
	    state_of(name, now_s), "not_after",
	    name->schedule.not_after_s > 0 ? time_text(name->schedule.not_after_s, until) : NULL,
	    "due", time_text(schedule_due_s(&name->schedule, now_s), due), "failures",
	    (json_int_t)name->schedule.failures, "error",
	    name->why[0] ? admin_text(name->why) : NULL, "caa", caa_words[name->pin], "warning",
	    acme_pin_sentence(name->pin, name->server_name, name->registration->identity,
		name->registration->account, warning));
}

const char *
agent_acme_pin(const struct agent_acme *acme, const char *server_name)
{
	const struct acme_name *name = acme ? find_name(acme, server_name) : NULL;

	return name ? caa_words[name->pin] : NULL;
}

const char *
agent_acme_warning(const struct agent_settings *settings, size_t endpoint, char out[ACME_WARNING])
{
	const struct endpoint_settings *one = agent_settings_endpoint(settings, endpoint);
	const struct acme_settings *acme = &one->termination.acme;
	const char *dir = acme_dir_of(settings);
	char id[STORE_ID], account[STORE_URL], identity[STORE_IDENTITY];

	store_account_id(acme->directory, acme->key_id, id);
	store_account_url(dir, id, account, identity);
	return acme_pin_sentence(
	    acme_pin_read(dir, one->server_name), one->server_name, identity, account, out);
}
