/* A certificate renewed by who has it. */
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "pki/crl.h"
#include "pki/tool/ceiling.h"
#include "pki/tool/enrolment_private.h"
#include "pki/tool/message.h"

enum {
	HOUR_S = 3600,
	ENROL_SHARES = 100, /* of the signatures of an hour, one name has one */
	ENROL_SHARE_LEAST = 10,
};

static bool
find(struct enrolling *enrolling)
{
	struct enrol_answer *answer = enrolling->answer;
	struct record *former = &enrolling->former;
	bool found;
	int code = record_of_der(&enrolling->enrolment->authority.store,
	    enrolling->question->certificate, former, &found);

	if (!enrolling_passes(enrolling, code, ENROL_BROKEN))
		return false;
	if (!found)
		return enrolling_refuse(enrolling, ENROL_REFUSED,
		    "the certificate that was shown is not one of this authority's");
	enrolling->party = 2 * former->id + 1;
	snprintf(answer->name, sizeof answer->name, "%s", former->name);
	snprintf(answer->kind, sizeof answer->kind, "%s", former->kind);
	return true;
}

static bool
judge_former(struct enrolling *enrolling)
{
	const struct record *former = &enrolling->former;
	int64_t now = enrolling->enrolment->authority.now;
	char time[TIME_TEXT];

	if (strcmp(former->kind, "ca") == 0)
		return enrolling_refuse(
		    enrolling, ENROL_REFUSED, "a CA is never renewed by who has it");
	if (former->revoked_at)
		return enrolling_refuse(enrolling, ENROL_REFUSED, "the certificate is %s",
		    former->reason == CRL_HOLD ? "held" : "revoked");
	if (former->not_after <= now)
		return enrolling_refuse(enrolling, ENROL_REFUSED,
		    "the certificate ended %s; ask for an invitation",
		    time_text(former->not_after, time));
	return former->not_before <= now ||
	    enrolling_refuse(enrolling, ENROL_REFUSED, "the certificate begins %s",
		time_text(former->not_before, time));
}

/* The lost answer once more, or a second host. */
static bool
answer_followed(struct enrolling *enrolling)
{
	struct enrolment *enrolment = enrolling->enrolment;
	struct record given;
	int code = record_by_id(&enrolment->authority.store, enrolling->former.successor, &given);

	if (!enrolling_passes(enrolling, code, ENROL_BROKEN))
		return false;
	if (!spki_pin_equals(&given.key_pin, &enrolling->request.pin))
		return enrolling_suspect(enrolling, &given);
	if (given.revoked_at || given.not_after <= enrolment->authority.now)
		return enrolling_refuse(enrolling, ENROL_REFUSED,
		    "the certificate that came in its place is %s",
		    given.revoked_at ? "revoked" : "over");
	enrolling_give(enrolling, &given, true);
	return false;
}

/* As it is now, under the lock. */
static bool
judge_again(struct enrolling *enrolling)
{
	int code = record_by_id(
	    &enrolling->enrolment->authority.store, enrolling->former.id, &enrolling->former);

	if (!enrolling_passes(enrolling, code, ENROL_BROKEN) || !judge_former(enrolling))
		return false;
	return !enrolling->former.successor || answer_followed(enrolling);
}

static int
read_leaf(struct enrolling *enrolling)
{
	const struct record *former = &enrolling->former;
	struct leaf *leaf = &enrolling->leaf;
	gnutls_x509_crt_t certificate = NULL;
	bool granted;
	int code =
	    record_certificate(&enrolling->enrolment->authority.store, former->id, &certificate);

	leaf->profile = profile_of_kind(former->kind);
	leaf->name = former->name;
	leaf->seconds = former->seconds;
	leaf->replaces = leaf->ends_with_ca = true;
	if (spki_pin_equals(&former->key_pin, &enrolling->request.pin))
		leaf->key_place = former->key;
	if (!code && !leaf->profile)
		code = message_fail(EX_UNAVAILABLE,
		    "the inventory holds '%s' as '%s', which is not a kind that this program knows",
		    former->name, former->kind);
	if (!code)
		code = names_of_certificate(&leaf->names, certificate);
	if (!code)
		code = ceiling_of(certificate, &leaf->grant, &granted);
	gnutls_x509_crt_deinit(certificate);
	return code;
}

static int
judge_leaf(struct enrolling *enrolling)
{
	struct leaf *leaf = &enrolling->leaf;
	int code = read_leaf(enrolling);

	if (!code)
		code = leaf_judge(&enrolling->enrolment->authority.store, &enrolling->signer, leaf);
	return code ? code
		    : enrol_request_judge(&enrolling->request, leaf->name, &leaf->names, false);
}

static int
take_time(void *arg, sqlite3_stmt *row)
{
	*(int64_t *)arg = sqlite3_column_int64(row, 0);
	return 0;
}

/* One who renews again and again must not use up what all have: all others' certificates would end.  The
 * one in force is not among those that are counted; the index has the others in their order. */
static bool
judge_share(struct enrolling *enrolling)
{
	struct enrolment *enrolment = enrolling->enrolment;
	int64_t share = enrolment->options->signatures_per_hour / ENROL_SHARES;
	int64_t now = enrolment->authority.now, began = 0;
	int code;

	if (share < ENROL_SHARE_LEAST)
		share = ENROL_SHARE_LEAST;
	code = store_each(&enrolment->authority.store, take_time, &began,
	    "SELECT enrolled_at FROM certificate WHERE name = ? AND current = 0 "
	    "ORDER BY id DESC LIMIT 1 OFFSET ?",
	    "ti", enrolling->former.name, share - 1);
	if (!enrolling_passes(enrolling, code, ENROL_BROKEN))
		return false;
	if (began > now || began <= now - HOUR_S)
		return true;
	enrolling->answer->retry_after_s = (uint32_t)(began + HOUR_S - now) + 1;
	return enrolling_refuse(enrolling, ENROL_LATER,
	    "'%s' was renewed %lld times within an hour, which is its share of what the authority "
	    "signs",
	    enrolling->former.name, (long long)share);
}

static bool
settle(struct enrolling *enrolling)
{
	const struct record *former = &enrolling->former;

	return judge_again(enrolling) &&
	    enrolling_passes(enrolling, judge_leaf(enrolling), ENROL_REFUSED) &&
	    enrolling_judge_key(enrolling, former->kind, former->name, former->issuer) &&
	    judge_share(enrolling) && enrolling_judge_limit(enrolling) &&
	    enrolling_passes(enrolling, enrolling_enter(enrolling), ENROL_REFUSED) &&
	    enrolling_commit(enrolling);
}

void
enrol_again(struct enrolling *enrolling)
{
	struct store *store = &enrolling->enrolment->authority.store;

	if (find(enrolling) && judge_former(enrolling) && enrolling_read_request(enrolling) &&
	    enrolling_open_signer(enrolling, enrolling->former.issuer) &&
	    enrolling_passes(enrolling, store_begin(store), ENROL_BROKEN) && settle(enrolling))
		enrolling_give(enrolling, &enrolling->record, false);
}
