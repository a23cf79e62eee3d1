/*
 * The files behind the configuration, loaded again where they have changed.
 */
#include "agent/reload_private.h"

#include <stdlib.h>
#include <string.h>

#include "agent/sources.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/mistakes.h"

enum { RETRY_TICKS = 5 }; /* a second each */

static const char kept_crls[] = "the CRLs that were in force in the place of those refused";

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

/* CRLs of it were refused, and those of before are in force. */
static void
tell_kept(struct agent_live *live, const char *part, const char *sentence)
{
	mistakes_tell(sentence, kept_crls, NULL);
	reload_faults_note(&live->faults, part, sentence, clock_wall_s());
}

/* How much of a part was refused: of the one in force, and of the one loaded. */
struct refusals {
	size_t before, now;
	const char *sentence; /* NULL: nothing is, now */
};

/* The part was loaded, if only to wait for the clock. */
static void
tell_loaded(struct look *look, const char *part, const char *doubt, const struct refusals *refusals)
{
	bool is_as_before = refusals->before > 0 && refusals->now >= refusals->before;

	if (doubt) {
		if (!look->is_retry)
			tell_doubt(look->live, part, doubt);
		return;
	}
	if (look->is_retry && is_as_before)
		return;
	if (refusals->sentence)
		tell_kept(look->live, part, refusals->sentence);
	else
		reload_faults_mend(&look->live->faults, part);
	conf_changes_add(&look->changes, part);
}

/* All but the certificates was loaded. */
static void
tell_lent(struct look *look, const char *part, const struct refusals *refusals)
{
	char what[PART_TEXT + 32];

	if (refusals->sentence) /* the fault of the part is the certificate's */
		mistakes_tell(refusals->sentence, kept_crls, NULL);
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
		agent_reload_part_of_endpoint(live, i, part);
		look->stale[i] = reload_faults_have(&live->faults, part);
		look->has_found |= look->stale[i];
	}
	for (size_t i = 0; i < live->settings.forwards.count; i++) {
		agent_reload_part_of_forward(live, i, part);
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

/* After this all files count as changed, so that the next tick loads them again. */
static void
forget_stamps(struct agent_live *live)
{
	memset(&live->credentials_stamp, 0, sizeof live->credentials_stamp);
	memset(live->endpoint_stamps, 0,
	    live->settings.endpoints.count * sizeof *live->endpoint_stamps);
	forwards_forget_stamps(live->forwards);
}

static void
tell_credentials(struct look *look, const struct credentials *fresh, enum credentials_part part)
{
	struct refusals refusals = { 0 };
	const char *ignored;

	if (part == CREDENTIALS_RELAYS) {
		refusals.before = trust_refusals(look->live->context.credentials->relays, &ignored);
		refusals.now = trust_refusals(fresh->relays, &refusals.sentence);
	}
	tell_loaded(look, credentials_part_key(part),
	    part == CREDENTIALS_RELAYS ? trust_doubt(fresh->relays) : NULL, &refusals);
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
			tell_credentials(look, fresh, i);
	}
	return fresh;
}

static void
on_endpoint_refused(void *arg, size_t index, const char *sentence)
{
	struct look *look = arg;
	char part[PART_TEXT];

	agent_reload_part_of_endpoint(look->live, index, part);
	tell_refused(look, part, sentence);
	look->stale[index] = false;
}

static void
tell_endpoint(struct look *look, const struct endpoint_table *table, size_t index)
{
	struct agent_live *live = look->live;
	const struct endpoint *before = endpoint_at(live, live->context.endpoint_table, index),
			      *now = endpoint_at(live, table, index);
	struct refusals refusals = { 0 };
	char part[PART_TEXT];
	const char *ignored;

	agent_reload_part_of_endpoint(live, index, part);
	refusals.before = endpoint_refusals(before, &ignored);
	refusals.now = endpoint_refusals(now, &refusals.sentence);
	if (look->stale[index])
		tell_loaded(look, part, endpoint_doubt(now), &refusals);
	else if (now != before)
		tell_lent(look, part, &refusals);
}

/* NULL when memory is short. */
static struct endpoint_table *
load_endpoints(struct look *look, struct trust *relays)
{
	struct agent_live *live = look->live;
	const struct endpoint_reload reload = { look->stale, look->trust_stale, on_endpoint_refused,
		look };
	char error[ENDPOINT_ERROR];
	struct endpoint_table *table = endpoint_table_new(
	    &live->settings, relays, live->context.endpoint_table, &reload, error);

	for (size_t i = 0; table && i < live->settings.endpoints.count; i++)
		tell_endpoint(look, table, i);
	return table;
}

static void
on_forward_refused(void *arg, size_t index, const char *sentence)
{
	struct look *look = arg;
	char part[PART_TEXT];

	agent_reload_part_of_forward(look->live, index, part);
	tell_refused(look, part, sentence);
	look->stale_forwards[index] = false;
}

static void
on_forward_lent(void *arg, size_t index)
{
	struct look *look = arg;
	char part[PART_TEXT];

	agent_reload_part_of_forward(look->live, index, part);
	tell_lent(look, part, &(struct refusals){ 0 });
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
	struct forwards *forwards = look->live->forwards;
	char part[PART_TEXT];

	for (size_t i = 0; i < look->live->settings.forwards.count; i++) {
		struct refusals refusals = { 0 };

		if (!look->stale_forwards[i])
			continue;
		agent_reload_part_of_forward(look->live, i, part);
		/* They are in force already, so a retry that leaves any has nothing to say. */
		refusals.now = forwards_refusals(forwards, i, &refusals.sentence);
		refusals.before = refusals.now;
		tell_loaded(look, part, forwards_doubt(forwards, i), &refusals);
	}
}

static void
put_files_in_force(struct look *look, struct credentials *credentials, struct endpoint_table *table)
{
	struct agent_live *live = look->live;
	struct credentials *before = live->context.credentials;
	char changed[CONF_CHANGES_TEXT];

	live->context.credentials = credentials;
	agent_reload_publish(live, table);
	if (look->parts[CREDENTIALS_OWN] || look->parts[CREDENTIALS_RELAYS])
		relay_links_renew(&live->links, agent_reload_is_renewed(before, credentials));
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
	struct look look;

	if (live->job)
		return; /* all files are being loaded; whoever is late is seen afterwards */
	look = (struct look){ .live = live,
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

static void
tell_state(struct agent_live *live, const char *part, const char *doubt, const char *refusal)
{
	if (doubt)
		tell_doubt(live, part, doubt);
	if (refusal)
		tell_kept(live, part, refusal);
}

void
agent_reload_tell_states(struct agent_live *live)
{
	struct trust *relays = live->context.credentials->relays;
	const char *refusal;
	char part[PART_TEXT];

	trust_refusals(relays, &refusal);
	tell_state(live, credentials_part_key(CREDENTIALS_RELAYS),
	    relays ? trust_doubt(relays) : NULL, refusal);
	for (size_t i = 0; i < live->settings.endpoints.count; i++) {
		const struct endpoint *endpoint =
		    endpoint_at(live, live->context.endpoint_table, i);

		agent_reload_part_of_endpoint(live, i, part);
		endpoint_refusals(endpoint, &refusal);
		tell_state(live, part, endpoint_doubt(endpoint), refusal);
	}
	for (size_t i = 0; i < live->settings.forwards.count; i++) {
		agent_reload_part_of_forward(live, i, part);
		forwards_refusals(live->forwards, i, &refusal);
		tell_state(live, part, forwards_doubt(live->forwards, i), refusal);
	}
}
