#include "pki/verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "pki/held.h"
#include "pki/inside.h"
#include "pki/judge.h"
#include "pki/path.h"
#include "pki/trust.h"

/* Alerts of RFC 8446, 6.2. */
enum {
	BAD_CERTIFICATE = 42,
	UNSUPPORTED_CERTIFICATE = 43,
	CERTIFICATE_REVOKED = 44,
	CERTIFICATE_EXPIRED = 45,
	CERTIFICATE_UNKNOWN = 46,
	UNKNOWN_CA = 48,
	ACCESS_DENIED = 49,
	INTERNAL_ERROR = 80,
	CERTIFICATE_REQUIRED = 116,
};

static const struct {
	const char *word;
	unsigned alert;
} codes[VERIFY_CODES] = {
	[VERIFY_OK] = { "ok", 0 },
	[VERIFY_NO_CERTIFICATE] = { "certificate-missing", CERTIFICATE_REQUIRED },
	[VERIFY_BAD_CERTIFICATE] = { "bad-certificate", BAD_CERTIFICATE },
	[VERIFY_BAD_CHAIN] = { "bad-chain", BAD_CERTIFICATE },
	[VERIFY_UNKNOWN_CA] = { "unknown-ca", UNKNOWN_CA },
	[VERIFY_WEAK_KEY] = { "weak-key", BAD_CERTIFICATE },
	[VERIFY_EXPIRED] = { "certificate-expired", CERTIFICATE_EXPIRED },
	[VERIFY_NOT_YET_VALID] = { "certificate-not-yet-valid", CERTIFICATE_EXPIRED },
	[VERIFY_WRONG_PURPOSE] = { "wrong-purpose", UNSUPPORTED_CERTIFICATE },
	[VERIFY_GRANT_MISSING] = { "grant-missing", ACCESS_DENIED },
	[VERIFY_GRANT_REFUSED] = { "grant-refused", ACCESS_DENIED },
	[VERIFY_NAME_MISMATCH] = { "name-mismatch", BAD_CERTIFICATE },
	[VERIFY_NAME_NOT_PERMITTED] = { "name-not-permitted", BAD_CERTIFICATE },
	[VERIFY_REVOKED] = { "certificate-revoked", CERTIFICATE_REVOKED },
	[VERIFY_CRL_MISSING] = { "crl-missing", CERTIFICATE_UNKNOWN },
	[VERIFY_CRL_EXPIRED] = { "crl-expired", CERTIFICATE_UNKNOWN },
	[VERIFY_CRL_REFUSED] = { "crl-refused", CERTIFICATE_UNKNOWN },
	[VERIFY_INTERNAL] = { "internal", INTERNAL_ERROR },
};

const char *
verify_code_word(enum verify_code code)
{
	return codes[code].word;
}

const char *
role_word(enum role role)
{
	static const char *const words[ROLES] = { "agent", "relay", "server", "client" };
	return words[role];
}

bool
verdict_set(struct verdict *verdict, enum verify_code code, int position)
{
	verdict->code = code;
	verdict->alert = codes[code].alert;
	verdict->position = position;
	return code == VERIFY_OK;
}

/* ---- a new chain ---- */

struct hearing {
	struct trial trial;
	struct verdict first;		/* what was wrong with the first chain tried */
	bool tried;
};

static bool
hear(const struct path *path, void *arg)
{
	struct hearing *hearing = arg;
	hearing->trial.path = path;
	if (judge_chain(&hearing->trial))
		return true;
	if (!hearing->tried)
		hearing->first = hearing->trial.verdict;
	hearing->tried = true;
	return false;
}

static void
refuse_unknown(struct trial *trial, const struct path *deepest)
{
	char issuer[90];
	size_t top = deepest->count - 1;
	trial->path = deepest;
	x509_name_text(deepest->links[top]->facts.issuer, issuer, sizeof issuer);
	judge_refuse(trial, top, VERIFY_UNKNOWN_CA,
	    "leads to no root in %.60s: its issuer is not known; list that CA's root there", trust_label(trial->trust));
}

static void
refuse_unread(struct verdict *verdict, const struct der *chain, size_t index, size_t count, const char *why)
{
	char fingerprint[65] = "";
	if (index < count)
		x509_fingerprint(chain[index], fingerprint);
	snprintf(verdict->sentence, sizeof verdict->sentence,
	    "certificate %zu of the %zu sent (SHA-256 %s) %s", index + 1, count, fingerprint, why);
	verdict_set(verdict, VERIFY_BAD_CERTIFICATE, (int)index);
}

static struct identity *
judge_bag(struct trust *trust, const struct bag *bag, struct hearing *hearing)
{
	struct trial *trial = &hearing->trial;
	struct search search = { .authority = trust_authority(trust), .bag = bag, .judge = hear, .arg = hearing };
	if (!path_search(&search)) {
		if (hearing->tried)
			trial->verdict = hearing->first;
		else
			refuse_unknown(trial, &search.deepest);
		return NULL;
	}
	struct identity *identity = identity_new(&search.path, trial->role,
	    trial->role == ROLE_AGENT ? &trial->grant : NULL);
	trial->verdict.sentence[0] = '\0';
	verdict_set(&trial->verdict, identity != NULL ? VERIFY_OK : VERIFY_INTERNAL, -1);
	if (identity == NULL)
		snprintf(trial->verdict.sentence, VERDICT_SENTENCE, "there is not enough memory");
	return identity;
}

struct identity *
verify_chain(struct trust *trust, enum role role, const struct der *chain, size_t count,
	const char *host, int64_t now, struct verdict *verdict)
{
	struct hearing hearing = { .trial = { .trust = trust, .role = role, .host = host, .now = now } };
	struct identity *identity = NULL;
	struct bag bag;
	const char *why;
	if (count == 0) {
		snprintf(hearing.trial.verdict.sentence, VERDICT_SENTENCE,
		    "no certificate was presented; configure one issued for the role %s", role_word(role));
		verdict_set(&hearing.trial.verdict, VERIFY_NO_CERTIFICATE, -1);
	} else if (!bag_fill(&bag, chain, count, &why)) {
		refuse_unread(&hearing.trial.verdict, chain, bag.count, count, why);
		bag_wipe(&bag);
	} else {
		identity = judge_bag(trust, &bag, &hearing);
		bag_wipe(&bag);
	}
	if (verdict != NULL)
		*verdict = hearing.trial.verdict;
	return identity;
}

/* ---- one held ---- */

__attribute__((format(printf, 5, 6))) static bool
end(const struct identity *identity, struct verdict *verdict, enum verify_code code, size_t position,
	const char *format, ...)
{
	char what[240];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(what, sizeof what, format, arguments);
	va_end(arguments);
	snprintf(verdict->sentence, VERDICT_SENTENCE, "certificate %zu of %zu (of the chain of %.100s, SHA-256 %s) %s",
	    position + 1, identity->link_count, identity->subject, identity->fingerprint, what);
	return verdict_set(verdict, code, (int)position);
}

static bool
is_in_time(const struct identity *identity, int64_t now, struct verdict *verdict)
{
	char when[X509_TIME_TEXT];
	for (size_t i = 0; i < identity->link_count; i++)
		if (now > identity->links[i].not_after)
			return end(identity, verdict, VERIFY_EXPIRED, i, "has ended on %s; renew it",
			    x509_time_text(identity->links[i].not_after, when));
	return true;
}

static bool
is_still_listed(const struct identity *identity, const struct trust *trust, struct verdict *verdict)
{
	const struct authority *authority = trust_authority(trust);
	size_t last = identity->link_count - 1;
	const struct ca *root = authority_find_root(authority, identity->links[last].issuer.id);
	if (root == NULL)
		return end(identity, verdict, VERIFY_UNKNOWN_CA, last, "is not listed in %.60s any more",
		    trust_label(trust));
	for (size_t i = 1; root->narrowed && i < last; i++)
		if (authority_has_lowest(authority, identity->links[i].issuer.id))
			return true;
	return !root->narrowed || end(identity, verdict, VERIFY_UNKNOWN_CA, 0,
	    "comes by none of the sub-CAs that %.60s lists now", trust_label(trust));
}

static bool
is_unrevoked(const struct identity *identity, const struct trust *trust, int64_t now, struct verdict *verdict)
{
	struct revocation *revocation = trust_revocation(trust);
	for (size_t i = 0; revocation != NULL && i + 1 < identity->link_count; i++) {
		const struct held_link *link = &identity->links[i];
		const struct issuer *above = &identity->links[i + 1].issuer;
		struct standing_facts facts;
		char issuer[90], what[220];
		enum standing standing = revocation_ask(revocation, above, &link->serial,
		    link->not_after, now, &facts);
		if (standing == STANDS)
			continue;
		x509_name_text(above->name, issuer, sizeof issuer);
		enum verify_code code = judge_standing(standing, &facts, issuer, trust_label(trust),
		    what, sizeof what);
		return end(identity, verdict, code, i, "%s", what);
	}
	return true;
}

bool
identity_judge_again(const struct identity *identity, struct trust *trust, int64_t now,
	struct verdict *verdict)
{
	struct verdict ignored;
	struct verdict *out = verdict != NULL ? verdict : &ignored;
	out->sentence[0] = '\0';
	verdict_set(out, VERIFY_OK, -1);
	/* Time comes last: it must not hide a revocation from those who let what is joined outlive it. */
	return is_still_listed(identity, trust, out) && is_unrevoked(identity, trust, now, out) &&
	    is_in_time(identity, now, out);
}
