/* A search for a chain that stands, and the sweep over identities that were verified before. */
#include "pki/verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "pki/identity_private.h"
#include "pki/judge.h"
#include "pki/path.h"
#include "pki/trust.h"
#include "pki/trust_private.h"

/* ---- a new chain ---- */

/* Chains are judged one after the other until one stands.  If none does, the peer hears of the one
 * that stood the most judgements: another may only have been tried because two CAs have one name. */
struct search {
	struct candidate candidate;
	struct verdict best;
	size_t best_passed; /* 0: none was judged */
};

static bool
judge_candidate(const struct path *path, void *arg)
{
	struct search *search = arg;
	search->candidate.path = path;
	if (judge_chain(&search->candidate))
		return true;
	if (search->candidate.passed > search->best_passed) {
		search->best = search->candidate.verdict;
		search->best_passed = search->candidate.passed;
	}
	return false;
}

static bool
is_namesake(const struct x509 *facts, const struct x509 *ca)
{
	return der_equal(facts->issuer, ca->subject) && !x509_names_issuer(facts, ca);
}

/* Whether a CA of the issuer's name is at hand, but with another key. */
static bool
has_namesake(const struct x509 *facts, const struct ca_list *list, const struct peer_chain *sent)
{
	for (size_t i = 0; i < list->count; i++)
		if (is_namesake(facts, &list->cas[i]->link.facts))
			return true;
	for (size_t i = 1; i < sent->count; i++)
		if (is_namesake(facts, &sent->links[i].facts))
			return true;
	return false;
}

/* Why no chain is complete; it reads after "leads to no root in agent_cas: ". */
static const char *
unknown_why(const struct x509 *facts, const struct ca_list *list, const struct path_search *paths)
{
	if (paths->gave_up)
		return "more CAs of one name came with it than are tried; send its own chain only";
	if (ca_list_find_passed_over(list, facts->issuer))
		return "its issuer stands there, but is passed over; `check` and the start say why";
	if (has_namesake(facts, list, paths->sent))
		return "a CA of its issuer's name is there, but has another key identifier; "
		       "send or list the CA certificate whose key has signed it";
	return "its issuer is not known; list its root there only if you know that CA: "
	       "whoever is not meant to be trusted ends here, too";
}

static void
refuse_unknown(struct candidate *candidate, const struct path_search *paths)
{
	size_t top = paths->deepest.count - 1;
	const struct x509 *facts = &paths->deepest.links[top]->facts;
	candidate->path = &paths->deepest;
	judge_refuse(candidate, top, VERIFY_UNKNOWN_CA, "leads to no root in %.60s: %s",
	    trust_label(candidate->trust),
	    unknown_why(facts, trust_ca_list(candidate->trust), paths));
}

static void
refuse_unread(struct verdict *verdict, const struct der *chain, const struct peer_chain *sent,
    size_t count, const char *why)
{
	size_t index = sent->count;
	char fingerprint[65] = "";
	if (index < count)
		x509_fingerprint(chain[index], fingerprint);
	snprintf(verdict->sentence, sizeof verdict->sentence,
	    "certificate %zu of the %zu sent (SHA-256 %s) %s", index + 1, count, fingerprint, why);
	verdict_set(
	    verdict, sent->lacks_memory ? VERIFY_INTERNAL : VERIFY_BAD_CERTIFICATE, (int)index);
}

static struct identity *
search_peer_chain(struct trust *trust, const struct peer_chain *sent, struct search *search)
{
	struct candidate *candidate = &search->candidate;
	struct path_search paths = {
		.list = trust_ca_list(trust), .sent = sent, .judge = judge_candidate, .arg = search
	};
	if (!path_search(&paths)) {
		if (search->best_passed > 0)
			candidate->verdict = search->best;
		else
			refuse_unknown(candidate, &paths);
		return NULL;
	}
	struct identity *identity = identity_new(
	    &paths.path, candidate->role, candidate->role == ROLE_AGENT ? &candidate->grant : NULL);
	candidate->verdict.sentence[0] = '\0';
	verdict_set(&candidate->verdict, identity ? VERIFY_OK : VERIFY_INTERNAL, -1);
	if (!identity)
		snprintf(candidate->verdict.sentence, VERDICT_SENTENCE, "memory is short");
	return identity;
}

struct identity *
verify_chain(struct trust *trust, enum role role, const struct der *chain, size_t count,
    const char *host, int64_t now, struct verdict *verdict)
{
	struct search search = { .candidate = {
				     .trust = trust, .role = role, .host = host, .now = now } };
	struct verdict *answer = &search.candidate.verdict;
	struct identity *identity = NULL;
	struct peer_chain sent;
	const char *why;
	if (trust_doubt(trust)) {
		snprintf(answer->sentence, VERDICT_SENTENCE, "nothing can be judged: %.400s",
		    trust_doubt(trust));
		verdict_set(answer, VERIFY_CLOCK_DOUBTED, -1);
	} else if (count == 0) {
		snprintf(answer->sentence, VERDICT_SENTENCE,
		    "no certificate was presented; configure one issued for the role %s",
		    role_word(role));
		verdict_set(answer, VERIFY_NO_CERTIFICATE, -1);
	} else if (!peer_chain_read(&sent, chain, count, &why)) {
		refuse_unread(answer, chain, &sent, count, why);
		peer_chain_wipe(&sent);
	} else {
		identity = search_peer_chain(trust, &sent, &search);
		peer_chain_wipe(&sent);
	}
	if (verdict)
		*verdict = *answer;
	return identity;
}

/* ---- an identity that was verified before ---- */

static uint64_t
party_of(const struct identity *identity)
{
	for (size_t i = identity->link_count; i-- > 1;)
		if (identity->links[i].has_grant)
			return judge_party(identity->links[i].issuer.id, NULL);
	return judge_party(identity->links[1].issuer.id, &identity->links[0].serial);
}

__attribute__((format(printf, 5, 6))) static bool
refuse_link(const struct identity *identity, struct verdict *verdict, enum verify_code code,
    size_t position, const char *format, ...)
{
	char what[240];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(what, sizeof what, format, arguments);
	va_end(arguments);
	snprintf(verdict->sentence, VERDICT_SENTENCE,
	    "certificate %zu of %zu (of the chain of %.100s, SHA-256 %s) %s", position + 1,
	    identity->link_count, identity->subject, identity->fingerprint, what);
	verdict->party = party_of(identity);
	return verdict_set(verdict, code, (int)position);
}

static bool
is_in_time(const struct identity *identity, int64_t now, struct verdict *verdict)
{
	char when[TIME_TEXT];
	for (size_t i = 0; i < identity->link_count; i++)
		if (now > identity->links[i].not_after)
			return refuse_link(identity, verdict, VERIFY_EXPIRED, i,
			    "has ended on %s; renew it",
			    time_text(identity->links[i].not_after, when));
	return true;
}

static bool
is_still_listed(const struct identity *identity, const struct trust *trust, struct verdict *verdict)
{
	const struct ca_list *list = trust_ca_list(trust);
	size_t last = identity->link_count - 1;
	const struct listed_ca *root = ca_list_find_root(list, identity->links[last].issuer.id);
	if (!root)
		return refuse_link(identity, verdict, VERIFY_UNKNOWN_CA, last,
		    "is not listed in %.60s any more", trust_label(trust));
	for (size_t i = 1; root->narrowed && i < last; i++)
		if (ca_list_has_lowest(list, identity->links[i].issuer.id))
			return true;
	return !root->narrowed ||
	    refuse_link(identity, verdict, VERIFY_UNKNOWN_CA, 0,
		"passes through no sub-CA that %.60s lists now", trust_label(trust));
}

static bool
is_unrevoked(const struct identity *identity, const struct trust *trust, int64_t now,
    struct verdict *verdict)
{
	struct revocation *revocation = trust_revocation(trust);
	for (size_t i = 0; revocation && i + 1 < identity->link_count; i++) {
		const struct identity_link *link = &identity->links[i];
		const struct issuer *above = &identity->links[i + 1].issuer;
		struct revocation_facts facts;
		char issuer[90], what[220];
		enum revocation_status status =
		    revocation_ask(revocation, above, &link->serial, link->not_after, now, &facts);
		if (status == UNREVOKED)
			continue;
		x509_name_text(above->name, issuer, sizeof issuer);
		enum verify_code code = revocation_verdict(
		    status, &facts, issuer, trust_label(trust), what, sizeof what);
		return refuse_link(identity, verdict, code, i, "%s", what);
	}
	return true;
}

bool
identity_judge_again(
    const struct identity *identity, struct trust *trust, int64_t now, struct verdict *verdict)
{
	struct verdict ignored;
	struct verdict *out = verdict ? verdict : &ignored;
	out->sentence[0] = '\0';
	out->is_vouched = true; /* or there were no identity */
	out->party = 0;
	verdict_set(out, VERIFY_OK, -1);
	if (trust_doubt(trust))
		return refuse_link(identity, out, VERIFY_CLOCK_DOUBTED, 0,
		    "cannot be judged: %.200s", trust_doubt(trust));
	/* Time comes last: it must not hide a revocation, since flows that are joined outlive
	 * an expiry and not a revocation. */
	return is_still_listed(identity, trust, out) && is_unrevoked(identity, trust, now, out) &&
	    is_in_time(identity, now, out);
}
