/* What the CRLs of a trust say of a certificate. */
#include "pki/revocation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "pki/crl.h"
#include "pki/revocation_private.h"

static int
compare_issuer(const void *id, const void *loaded)
{
	return memcmp(id, ((const struct loaded_crl *)loaded)->issuer, ISSUER_ID);
}

/* One that waited and whose issuer has come; judged as at the start, once. */
static void
judge_waiting(struct revocation *set, struct loaded_crl *loaded, const struct issuer *issuer)
{
	const char *why;
	struct crl_mark seen, mark;
	loaded->refusal = loaded_crl_place(loaded, issuer, 1);
	if (loaded->state != PLACED)
		return; /* perhaps another key of the same name; it waits on */
	mark = loaded_crl_mark(loaded);
	if (crl_history_would_roll_back(set->history, &mark, &seen))
		loaded->refusal = "is older than one already seen (rollback of its number)";
	else if (!crl_index(loaded->crl, &why))
		loaded->refusal = why;
	if (loaded->refusal)
		loaded_crl_move(loaded, REFUSED);
	else
		crl_history_note_mark(set->history, &mark);
}

/* Among those that waited: the newest CRL of the issuer; what is wrong with another one goes to *facts. */
static const struct crl *
find_waiting(struct revocation *set, const struct issuer *issuer, struct revocation_facts *facts)
{
	const struct loaded_crl *found = NULL;
	pthread_mutex_lock(&set->lock);
	for (size_t i = set->placed; i < set->count; i++) {
		struct loaded_crl *loaded = &set->crls[i];
		if (!revocation_names_issuer(loaded->crl, issuer))
			continue;
		if (loaded->state == WAITING)
			judge_waiting(set, loaded, issuer);
		if (loaded->state != PLACED) {
			facts->why = loaded->refusal;
			facts->file = loaded->file;
		} else if (memcmp(loaded->issuer, issuer->id, ISSUER_ID) == 0 &&
		    (!found || loaded_crl_is_newer(loaded, found)))
			found = loaded;
	}
	pthread_mutex_unlock(&set->lock);
	return !found ? NULL : found->crl;
}

static const struct loaded_crl *
find_placed(const struct revocation *set, const struct issuer *issuer)
{
	return set->placed == 0
	    ? NULL
	    : bsearch(issuer->id, set->crls, set->placed, sizeof *set->crls, compare_issuer);
}

static const struct crl *
find_crl(struct revocation *set, const struct issuer *issuer, struct revocation_facts *facts)
{
	const struct loaded_crl *loaded = find_placed(set, issuer);
	if (loaded)
		return loaded->crl;
	return set->count > set->placed ? find_waiting(set, issuer, facts) : NULL;
}

const char *
revocation_namesake(const struct revocation *set, const struct issuer *issuer)
{
	for (size_t i = 0; i < set->count; i++)
		if (der_equal(crl_issuer(set->crls[i].crl), issuer->name) &&
		    !revocation_names_issuer(set->crls[i].crl, issuer))
			return set->crls[i].file;
	return NULL;
}

static enum revocation_status
without_crl(
    const struct revocation *set, const struct issuer *issuer, struct revocation_facts *facts)
{
	if (facts->why)
		return CRL_REFUSED;
	facts->file = revocation_namesake(set, issuer);
	return set->missing == CRL_MISSING_ALLOW ? UNREVOKED : NO_CRL;
}

static bool
is_too_old(const struct revocation *set, const struct crl *crl, int64_t now)
{
	int64_t end = crl_next_update(crl);
	return set->expired == CRL_EXPIRED_REJECT ? now > end
	    : set->expired == CRL_EXPIRED_GRACE   ? now > end + set->grace_s
						  : false;
}

enum revocation_status
revocation_ask(struct revocation *set, const struct issuer *issuer, const struct serial *serial,
    int64_t not_after, int64_t now, struct revocation_facts *facts)
{
	struct revoked known;
	*facts = (struct revocation_facts){ 0 };
	if (crl_history_has_revoked(set->history, issuer->id, serial, &known)) {
		*facts = (struct revocation_facts){ .reason = known.reason,
			.revoked_at = known.revoked_at };
		return REVOKED;
	}
	const struct crl *crl = find_crl(set, issuer, facts);
	if (!crl)
		return without_crl(set, issuer, facts);
	facts->next_update = crl_next_update(crl);
	const struct crl_entry *entry = crl_find(crl, serial, NULL);
	if (!entry)
		return is_too_old(set, crl, now) ? CRL_TOO_OLD : UNREVOKED;
	facts->reason = entry->reason;
	facts->revoked_at = entry->revoked_at;
	if (entry->reason != CRL_HOLD) { /* a hold may end; nothing else may */
		known = (struct revoked){ .serial = *serial,
			.reason = entry->reason,
			.revoked_at = entry->revoked_at,
			.not_after = not_after };
		memcpy(known.issuer, issuer->id, ISSUER_ID);
		crl_history_note_revoked(set->history, &known, now);
	}
	return REVOKED;
}

const struct crl *
revocation_crl(const struct revocation *set, size_t index, const char **file)
{
	if (index >= set->count)
		return NULL;
	*file = set->crls[index].file;
	return set->crls[index].crl;
}

const struct crl *
revocation_waiting(const struct revocation *set, size_t index)
{
	return index < set->count - set->placed ? set->crls[set->placed + index].crl : NULL;
}

bool
revocation_has(const struct revocation *set, const struct issuer *issuer)
{
	return find_placed(set, issuer) != NULL;
}

enum verify_code
revocation_verdict(enum revocation_status status, const struct revocation_facts *facts,
    const char *issuer, const char *label, char *what, size_t what_bytes)
{
	char when[TIME_TEXT];
	switch (status) {
	case UNREVOKED:
		return VERIFY_OK;
	case REVOKED:
		snprintf(what, what_bytes, "was revoked on %s (%s); use another",
		    time_text(facts->revoked_at, when), crl_reason_word(facts->reason));
		return VERIFY_REVOKED;
	case NO_CRL:
		if (facts->file)
			snprintf(what, what_bytes,
			    "cannot be checked: its issuer's CRL in %.90s names another key identifier; "
			    "add the CRL of this key",
			    facts->file);
		else
			snprintf(what, what_bytes,
			    "cannot be checked: there is no CRL of %.90s; add it to the CRLs beside %s",
			    issuer, label);
		return VERIFY_CRL_MISSING;
	case CRL_TOO_OLD:
		snprintf(what, what_bytes,
		    "cannot be checked: the CRL of %.90s has ended on %s; install a new one",
		    issuer, time_text(facts->next_update, when));
		return VERIFY_CRL_EXPIRED;
	case CRL_REFUSED:
		snprintf(what, what_bytes, "cannot be checked: its issuer's CRL in %.80s %s",
		    facts->file, facts->why);
		return VERIFY_CRL_REFUSED;
	}
	return VERIFY_INTERNAL;
}
