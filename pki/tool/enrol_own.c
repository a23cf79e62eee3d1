/* What the process in front needs itself: its own certificate, and CRLs that do not end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/units.h"
#include "pki/tool/enrolment_private.h"
#include "pki/tool/identity_bundle.h"
#include "pki/tool/leaf_key.h"
#include "pki/tool/message.h"
#include "pki/tool/profile.h"
#include "pki/tool/publish.h"

enum { HOUR_S = 3600, DUE_MOST = 64 /* CRLs at once; the others follow at the next question */ };

/* ---- the own certificate ---- */

static int
read_leaf(struct enrolling *enrolling)
{
	const struct enrolment_options *options = enrolling->enrolment->options;
	struct leaf *leaf = &enrolling->leaf;
	int code = 0;

	leaf->profile = profile_of_kind("server");
	leaf->name = options->name;
	leaf->ends_with_ca = true;
	for (size_t i = 0; !code && i < options->hosts.count; i++)
		code = names_add_host(&leaf->names, leaf->profile, options->hosts.at[i]);
	return code;
}

/* More than a third of its life is left, and its names are those that are configured. */
static bool
is_good(const struct enrolling *enrolling, const struct record *record)
{
	int64_t now = enrolling->enrolment->authority.now;
	int64_t life = record->not_after - record->not_before - BACKDATE_S;
	char hosts[HOSTS_TEXT];

	names_join(&enrolling->leaf.names, hosts, sizeof hosts);
	return !record->revoked_at && record->not_after - now > life / 3 &&
	    strcmp(record->hosts, hosts) == 0 && *record->key;
}

static int
take_count(void *arg, sqlite3_stmt *row)
{
	*(int64_t *)arg = sqlite3_column_int64(row, 0);
	return 0;
}

/* Who has taken over the process in front shall not fill the inventory by this, either. */
static int
judge_own_limit(struct enrolling *enrolling)
{
	struct authority *authority = &enrolling->enrolment->authority;
	int64_t count = 0;
	int code = store_each(&authority->store, take_count, &count,
	    "SELECT count(*) FROM certificate WHERE name = ? AND not_before > ?", "ti",
	    enrolling->enrolment->options->name, authority->now - BACKDATE_S - HOUR_S);

	return code || count < OWN_MOST
	    ? code
	    : message_fail(EX_UNAVAILABLE, "'%s' got %d certificates within an hour",
		  enrolling->enrolment->options->name, OWN_MOST);
}

static int
issue_own(struct enrolling *enrolling)
{
	struct authority *authority = &enrolling->enrolment->authority;
	struct leaf_key key = { 0 };
	int code = judge_own_limit(enrolling);

	if (!code)
		code = leaf_judge(&authority->store, &enrolling->signer, &enrolling->leaf);
	if (!code)
		code = leaf_key_make(
		    authority, &(struct leaf_key_options){ 0 }, &enrolling->leaf, &key);
	if (!code)
		code =
		    leaf_issue(authority, &enrolling->signer, &enrolling->leaf, &enrolling->record);
	enrolling->leaf.key = NULL;
	leaf_key_wipe(&key);
	return code;
}

static bool
renew_own(struct enrolling *enrolling)
{
	struct ca ca;
	int code =
	    ca_find(&enrolling->enrolment->authority.store, enrolling->leaf.profile->role, &ca);

	return enrolling_passes(enrolling, code, ENROL_BROKEN) &&
	    enrolling_open_signer(enrolling, ca.id) &&
	    enrolling_passes(enrolling, issue_own(enrolling), ENROL_BROKEN);
}

/* The key stays in this process, which signs with it for the one in front. */
static int
keep_key(struct enrolling *enrolling)
{
	struct enrolment *enrolment = enrolling->enrolment;
	struct identity_bundle bundle = { 0 };
	int code = identity_bundle_open(&enrolment->authority, enrolment->options->name, &bundle);

	if (!code && bundle.key_pem.bytes == 0)
		code = message_fail(EX_UNAVAILABLE,
		    "the key of '%s' is not kept here; `valise-pki rekey %s`", bundle.record.name,
		    bundle.record.name);
	if (!code && !key_store_keep(enrolment->options->keys, ENROL_OWN_KEY, &bundle.key_pem))
		code = message_fail(EX_UNAVAILABLE,
		    "the key of '%s' cannot be used, or memory is short", bundle.record.name);
	identity_bundle_wipe(&bundle);
	return code;
}

static int
find_own(struct enrolling *enrolling, struct record *own, bool *found)
{
	int code = read_leaf(enrolling);

	if (!code)
		code = record_look_up(
		    &enrolling->enrolment->authority.store, enrolling->leaf.name, own, found);
	if (code || !*found || strcmp(own->kind, "server") == 0)
		return code;
	return message_fail(EX_UNAVAILABLE,
	    "'%s' names a certificate of another kind here (%s); give `valise-pki serve` another "
	    "name",
	    own->name, own->kind);
}

void
enrol_own(struct enrolling *enrolling)
{
	struct enrol_answer *answer = enrolling->answer;
	struct record own;
	bool found;
	int code = find_own(enrolling, &own, &found);

	if (!enrolling_passes(enrolling, code, ENROL_BROKEN))
		return;
	snprintf(answer->name, sizeof answer->name, "%s", enrolling->leaf.name);
	snprintf(answer->kind, sizeof answer->kind, "%s", enrolling->leaf.profile->kind);
	enrolling->leaf.replaces = found;
	enrolling->party = 1; /* as that of no record */
	if (found && is_good(enrolling, &own))
		enrolling->record = own;
	else if (!renew_own(enrolling))
		return;
	enrolling_give(enrolling, &enrolling->record, enrolling->record.id == own.id);
	if (answer->code == ENROL_ISSUED)
		enrolling_passes(enrolling, keep_key(enrolling), ENROL_BROKEN);
}

/* ---- CRLs ---- */

struct due {
	int64_t now;
	size_t count;
	struct ca cas[DUE_MOST];
};

/* Below half of its life; a CA whose key is not kept here has an owner who sees to it. */
static int
take_due(void *arg, const struct ca *ca)
{
	struct due *due = arg;

	if (*ca->key && due->count < DUE_MOST && due->now >= ca->crl_next - ca->crl_seconds / 2)
		due->cas[due->count++] = *ca;
	return 0;
}

static int
issue_crl(struct enrolment *enrolment, struct signer *signer)
{
	struct store *store = &enrolment->authority.store;
	int code = store_begin(store);

	if (!code)
		code = publish_crl(store, signer, 0, enrolment->authority.now);
	if (!code)
		code = publish_bundles(store, signer->ca.role);
	if (!code)
		code = store_commit(store);
	store_rollback(store);
	return code;
}

static int
open_ca(struct enrolment *enrolment, const struct ca *ca, struct signer *signer)
{
	int code = enrolment_key(enrolment, ca, &signer->key);

	return code ? code : signer_look_up(&enrolment->authority.store, ca->name, signer);
}

static void
tell_crl(struct enrolment *enrolment, const struct ca *ca, int code)
{
	char next[TIME_TEXT];

	if (!code)
		log_audit(LOG_INFO, "crl-issued", NULL, log_str("ca", ca->name),
		    log_u64("crl_number", (uint64_t)ca->crl_number),
		    log_str("next_update", time_text(ca->crl_next, next)));
	else if (enrolment_may_tell(enrolment, ca))
		log_event(LOG_WARNING, "crl-not-issued", enrolment->said, log_str("ca", ca->name),
		    log_str("next_update", time_text(ca->crl_next, next)));
}

/* Nobody asks for the CRL of a CA that is revoked, and a root's key may be elsewhere on purpose. */
static void
keep_crl(struct enrolment *enrolment, const struct ca *ca)
{
	struct signer signer = { 0 };
	struct record record;
	bool found;
	int code = record_look_up(&enrolment->authority.store, ca->name, &record, &found);

	if (code || record.revoked_at)
		return;
	code = open_ca(enrolment, ca, &signer);
	if (!code)
		code = issue_crl(enrolment, &signer);
	tell_crl(enrolment, code ? ca : &signer.ca, code);
	signer.key = NULL;
	signer_wipe(&signer);
	if (ca->parent == ca->id && !code)
		enrolment_forget_key(enrolment, ca);
}

void
enrol_upkeep(struct enrolling *enrolling)
{
	struct enrolment *enrolment = enrolling->enrolment;
	struct due *due = calloc(1, sizeof *due);
	int code;

	if (!due) {
		enrolling_passes(enrolling, message_no_memory(), ENROL_BROKEN);
		return;
	}
	due->now = enrolment->authority.now;
	code = ca_each(&enrolment->authority.store, take_due, due);
	for (size_t i = 0; !code && i < due->count; i++)
		keep_crl(enrolment, &due->cas[i]);
	free(due);
	if (enrolling_passes(enrolling, code, ENROL_BROKEN))
		enrolling->answer->code = ENROL_ISSUED;
}
