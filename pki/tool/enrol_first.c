/* A host's first certificate, by an invitation. */
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "pki/tool/enrolment_private.h"
#include "pki/tool/invitation.h"
#include "pki/tool/message.h"

/* Strangers get one answer, whatever is wrong, and cost a look into the inventory. */
static bool
find(struct enrolling *enrolling, struct invitation *invitation)
{
	const struct enrol_question *question = enrolling->question;
	struct enrol_answer *answer = enrolling->answer;
	bool found;
	int code = invitation_find(
	    &enrolling->enrolment->authority.store, question->user, invitation, &found);

	if (!enrolling_passes(enrolling, code, ENROL_BROKEN))
		return false;
	if (!invitation_knows(invitation, question->password))
		return enrolling_refuse(enrolling, ENROL_UNAUTHORISED,
		    "there is no invitation with this handle and this secret");
	enrolling->party = 2 * invitation->id;
	snprintf(enrolling->handle, sizeof enrolling->handle, "%s", invitation->handle);
	snprintf(answer->name, sizeof answer->name, "%s", invitation->name);
	snprintf(answer->kind, sizeof answer->kind, "%s", invitation->kind);
	return true;
}

static bool
refuse_over(struct enrolling *enrolling, const struct invitation *invitation)
{
	char end[TIME_TEXT];

	return enrolling_refuse(enrolling, ENROL_UNAUTHORISED,
	    "the invitation was over %s; ask for a new one", time_text(invitation->ends_at, end));
}

/* The lost answer once more, or a second host. */
static bool
answer_used(struct enrolling *enrolling, const struct invitation *invitation)
{
	struct enrolment *enrolment = enrolling->enrolment;
	struct record given;
	int code = record_by_id(&enrolment->authority.store, invitation->certificate, &given);

	if (!enrolling_passes(enrolling, code, ENROL_BROKEN))
		return false;
	if (!spki_pin_equals(&given.key_pin, &enrolling->request.pin))
		return enrolling_suspect(enrolling, &given);
	if (invitation->ends_at <= enrolment->authority.now)
		return refuse_over(enrolling, invitation);
	if (given.revoked_at || given.not_after <= enrolment->authority.now)
		return enrolling_refuse(enrolling, ENROL_REFUSED,
		    "the certificate that the invitation was used for is %s",
		    given.revoked_at ? "revoked" : "over");
	enrolling_give(enrolling, &given, true);
	return false;
}

/* True if the invitation is open. */
static bool
judge_state(struct enrolling *enrolling, const struct invitation *invitation)
{
	if (invitation->used_at)
		return answer_used(enrolling, invitation);
	if (invitation->withdrawn_at)
		return enrolling_refuse(
		    enrolling, ENROL_UNAUTHORISED, "the invitation was withdrawn");
	return invitation->ends_at > enrolling->enrolment->authority.now ||
	    refuse_over(enrolling, invitation);
}

/* Names of a customer, who has a CA of his own, are asked for again, though there may be one of this
 * name: so `replaces` is said after the judgement. */
static int
judge_leaf(struct enrolling *enrolling, const struct invitation *invitation)
{
	struct store *store = &enrolling->enrolment->authority.store;
	struct leaf *leaf = &enrolling->leaf;
	int code = invitation_judge_former(store, invitation, enrolling->enrolment->authority.now);

	if (code == EX_CANTCREAT)
		code = EX_NOPERM;
	leaf->profile = profile_of_kind(invitation->kind);
	leaf->name = invitation->name;
	leaf->names = invitation->names;
	leaf->grant = invitation->grant;
	leaf->seconds = invitation->seconds;
	leaf->ends_with_ca = true;
	if (!code)
		code = invitation_refuse_reserved(
		    store, invitation->kind, invitation->name, &invitation->names);
	if (!code)
		code = leaf_judge(store, &enrolling->signer, leaf);
	leaf->replaces = true;
	return code
	    ? code
	    : enrol_request_judge(&enrolling->request, invitation->name, &invitation->names, true);
}

static int
enter(struct enrolling *enrolling, const struct invitation *invitation)
{
	struct authority *authority = &enrolling->enrolment->authority;
	int code = enrolling_enter(enrolling);

	return code
	    ? code
	    : invitation_use(&authority->store, invitation, enrolling->record.id, authority->now);
}

/* Under the lock, so that of two who come at once one is the second. */
static bool
settle(struct enrolling *enrolling, struct invitation *invitation)
{
	return find(enrolling, invitation) && judge_state(enrolling, invitation) &&
	    enrolling_passes(enrolling, judge_leaf(enrolling, invitation), ENROL_REFUSED) &&
	    enrolling_judge_key(
		enrolling, invitation->kind, invitation->name, invitation->issuer) &&
	    enrolling_judge_limit(enrolling) &&
	    enrolling_passes(enrolling, enter(enrolling, invitation), ENROL_REFUSED) &&
	    enrolling_commit(enrolling);
}

void
enrol_first(struct enrolling *enrolling)
{
	struct store *store = &enrolling->enrolment->authority.store;
	struct invitation invitation;

	if (find(enrolling, &invitation) && enrolling_read_request(enrolling) &&
	    enrolling_open_signer(enrolling, invitation.issuer) &&
	    enrolling_passes(enrolling, store_begin(store), ENROL_BROKEN) &&
	    settle(enrolling, &invitation))
		enrolling_give(enrolling, &enrolling->record, false);
}
