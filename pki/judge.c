/* One judgement after the other, each with a verdict and a sentence of its own. */
#include "pki/judge.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <gnutls/x509.h>
#include <nettle/sha2.h>

#include "base/units.h"
#include "pki/constraint.h"
#include "pki/key_fault.h"
#include "pki/oid.h"
#include "pki/policy.h"
#include "pki/signature.h"
#include "pki/trust_private.h"
#include "sni/name.h"

enum { NAME_TEXT = 90 };

bool
judge_refuse(
    struct candidate *candidate, size_t position, enum verify_code code, const char *format, ...)
{
	const struct x509 *facts = &candidate->path->links[position]->facts;
	char subject[NAME_TEXT], issuer[NAME_TEXT], fingerprint[65], what[VERDICT_SENTENCE];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(what, sizeof what, format, arguments);
	va_end(arguments);
	snprintf(candidate->verdict.sentence, VERDICT_SENTENCE,
	    "certificate %zu of %zu (%s, issued by %s, SHA-256 %s) %.200s", position + 1,
	    candidate->path->count, x509_name_text(facts->subject, subject, sizeof subject),
	    x509_name_text(facts->issuer, issuer, sizeof issuer),
	    x509_fingerprint(facts->whole, fingerprint), what);
	return verdict_set(&candidate->verdict, code, (int)position);
}

static const struct x509 *
facts_of(const struct candidate *candidate, size_t position)
{
	return &candidate->path->links[position]->facts;
}

/* ---- what the certificates are ---- */

static bool
judge_extensions(struct candidate *candidate)
{
	for (size_t i = 0; i < candidate->path->count; i++)
		if (facts_of(candidate, i)->unknown.bytes > 0)
			return judge_refuse(candidate, i, VERIFY_BAD_CERTIFICATE,
			    "has a critical extension that is not known here; issue it without");
	return true;
}

static bool
judge_issuers(struct candidate *candidate)
{
	int below = 0; /* CAs between the one at hand and the leaf, self-issued ones aside */
	if (facts_of(candidate, 0)->is_ca)
		return judge_refuse(candidate, 0, VERIFY_WRONG_PURPOSE,
		    "is a CA; present one that a CA issued to this party");
	for (size_t i = 1; i < candidate->path->count; i++) {
		const struct x509 *ca = facts_of(candidate, i);
		if (!ca->is_ca || !x509_may(ca, USAGE_SIGN_CERTIFICATES))
			return judge_refuse(candidate, i, VERIFY_BAD_CHAIN,
			    "may not issue certificates, yet did; have a CA issue the one below it");
		if (ca->path_length >= 0 && below > ca->path_length)
			return judge_refuse(candidate, i, VERIFY_BAD_CHAIN,
			    "allows %d CAs below it, the chain has %d", ca->path_length, below);
		below += !x509_is_self_issued(ca);
	}
	return true;
}

/* A root's own signature proves nothing, so its algorithm does not matter. */
static bool
judge_strength(struct candidate *candidate)
{
	char key[KEY_FAULT];
	for (size_t i = 0; i < candidate->path->count; i++) {
		unsigned bits = 0;
		int algorithm =
		    gnutls_x509_crt_get_pk_algorithm(candidate->path->links[i]->crt, &bits);
		if (!key_is_accepted(algorithm, bits))
			return judge_refuse(candidate, i, VERIFY_WEAK_KEY, "has %s; use %s",
			    key_fault(algorithm, bits, facts_of(candidate, i)->spki, key),
			    KEYS_ACCEPTED);
		if (i + 1 < candidate->path->count &&
		    !signature_is_strong(facts_of(candidate, i)->algorithm))
			return judge_refuse(candidate, i, VERIFY_WEAK_KEY,
			    "is signed with %s, which is not accepted; issue it anew with SHA-256",
			    signature_text(facts_of(candidate, i)->algorithm, key));
	}
	return true;
}

/* The lowest CA from which all signatures up to the root were checked when they were loaded. */
static size_t
find_checked(const struct path *path)
{
	size_t i = path->count - 1;
	while (
	    i > 1 && path->links[i - 1]->ca && path->links[i - 1]->ca->issuer == path->links[i]->ca)
		i--;
	return i;
}

/* The certificate whose signature is wrong, from the top down, so that no key is used that
 * nobody vouches for: a stranger's could keep us busy for hours.  `last` if all are right. */
static size_t
find_forged(const struct candidate *candidate, size_t last)
{
	for (size_t i = last; i-- > 0;)
		if (!signature_verifies(facts_of(candidate, i + 1)->spki,
			facts_of(candidate, i)->algorithm, facts_of(candidate, i)->signed_part,
			facts_of(candidate, i)->signature))
			return i;
	return last;
}

uint64_t
judge_party(const uint8_t ca[ISSUER_ID], const struct serial *serial)
{
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx sha;
	uint64_t party;
	sha256_init(&sha);
	sha256_update(&sha, ISSUER_ID, ca);
	if (serial)
		sha256_update(&sha, serial->bytes, serial->data);
	sha256_digest(&sha, sizeof digest, digest);
	memcpy(&party, digest, sizeof party);
	return party | 1;
}

static uint64_t
party_of(const struct path *path)
{
	for (size_t i = path->count; i-- > 1;)
		if (path->links[i]->facts.has_grant)
			return judge_party(path->links[i]->issuer.id, NULL);
	return judge_party(path->links[1]->issuer.id, &path->links[0]->facts.serial);
}

/* What was not checked at the start, by GnuTLS: signatures above all, and a second opinion on
 * names.  It is not asked about CAs and critical extensions, which were judged before: it counts a
 * self-issued CA against a path length, and tells that as a name beyond the constraints. */
static bool
judge_signatures(struct candidate *candidate)
{
	gnutls_x509_crt_t list[PATH_LINKS];
	unsigned status = 0;
	size_t last = find_checked(candidate->path);
	for (size_t i = 0; i <= last; i++)
		list[i] = candidate->path->links[i]->crt;
	int result = gnutls_x509_crt_list_verify(list, (unsigned)last, &list[last], 1, NULL, 0,
	    GNUTLS_VERIFY_DISABLE_TIME_CHECKS | GNUTLS_VERIFY_DISABLE_CA_SIGN |
		GNUTLS_VERIFY_IGNORE_UNKNOWN_CRIT_EXTENSIONS,
	    &status);
	candidate->names_doubted = status & GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE;
	if (result < 0)
		return judge_refuse(
		    candidate, 0, VERIFY_BAD_CERTIFICATE, "cannot be judged by GnuTLS");
	if (status & GNUTLS_CERT_INSECURE_ALGORITHM)
		return judge_refuse(candidate, 0, VERIFY_WEAK_KEY,
		    "or one above it is signed with a weak algorithm; issue it anew with SHA-256");
	size_t forged = status == 0 ? last : find_forged(candidate, last);
	if (forged < last)
		return judge_refuse(candidate, forged, VERIFY_BAD_CERTIFICATE,
		    "is not signed by the key of its issuer: forged, damaged or of another key");
	if (status != 0 && !candidate->names_doubted)
		return judge_refuse(
		    candidate, 0, VERIFY_BAD_CERTIFICATE, "or one above it is refused by GnuTLS");
	candidate->verdict.is_vouched = true;
	candidate->verdict.party = party_of(candidate->path);
	return true;
}

static bool
judge_times(struct candidate *candidate)
{
	char when[TIME_TEXT], clock[TIME_TEXT];
	for (size_t i = 0; i < candidate->path->count; i++) {
		const struct x509 *facts = facts_of(candidate, i);
		if (candidate->now > facts->not_after)
			return judge_refuse(candidate, i, VERIFY_EXPIRED,
			    "has ended on %s; renew it", time_text(facts->not_after, when));
		if (candidate->now + TIME_SKEW_S < facts->not_before)
			return judge_refuse(candidate, i, VERIFY_NOT_YET_VALID,
			    "begins on %s, and the clock here says %s; is the clock right?",
			    time_text(facts->not_before, when), time_text(candidate->now, clock));
	}
	return true;
}

/* Where sub-CAs are listed beside the root, the chain must pass through one of them. */
static bool
judge_way(struct candidate *candidate)
{
	const struct path *path = candidate->path;
	const struct ca_list *list = trust_ca_list(candidate->trust);
	if (!path->links[path->count - 1]->ca->narrowed)
		return true;
	for (size_t i = 1; i + 1 < path->count; i++)
		if (ca_list_has_lowest(list, path->links[i]->issuer.id))
			return true;
	return judge_refuse(candidate, 0, VERIFY_UNKNOWN_CA,
	    "passes through no sub-CA that is listed in %s; have the right CA issue it, or list its CA",
	    trust_label(candidate->trust));
}

/* ---- what they are for ---- */

static const struct role_purposes {
	const char *needs[3], *forbids[3];
	bool has_host;
} purposes[ROLES] = {
	[ROLE_AGENT] = { { OID_AGENT_PURPOSE, OID_CLIENT_AUTH }, { OID_SERVER_AUTH }, false },
	[ROLE_RELAY] = { { OID_SERVER_AUTH }, { OID_AGENT_PURPOSE }, true },
	[ROLE_SERVER] = { { OID_SERVER_AUTH }, { OID_AGENT_PURPOSE }, true },
	[ROLE_CLIENT] = { { OID_CLIENT_AUTH }, { OID_AGENT_PURPOSE }, false },
};

static const char *
purpose_text(const char *oid)
{
	return strcmp(oid, OID_SERVER_AUTH) == 0 ? "serverAuth"
	    : strcmp(oid, OID_CLIENT_AUTH) == 0  ? "clientAuth"
						 : "the agent purpose " OID_AGENT_PURPOSE;
}

static bool
judge_leaf_purpose(struct candidate *candidate)
{
	const struct role_purposes *purpose = &purposes[candidate->role];
	const struct x509 *leaf = facts_of(candidate, 0);
	for (const char *const *oid = purpose->needs; *oid; oid++)
		if (!x509_has_purpose(leaf, *oid))
			return judge_refuse(candidate, 0, VERIFY_WRONG_PURPOSE,
			    "does not have %s in its extKeyUsage; present one issued for the role %s",
			    purpose_text(*oid), role_word(candidate->role));
	for (const char *const *oid = purpose->forbids; *oid; oid++)
		if (x509_has_purpose(leaf, *oid))
			return judge_refuse(candidate, 0, VERIFY_WRONG_PURPOSE,
			    "has %s in its extKeyUsage, which no %s may; present one issued for that role",
			    purpose_text(*oid), role_word(candidate->role));
	if (candidate->role != ROLE_AGENT && leaf->has_grant)
		return judge_refuse(candidate, 0, VERIFY_WRONG_PURPOSE,
		    "carries an agent's grant; present one issued for the role %s",
		    role_word(candidate->role));
	if (!x509_may(leaf, USAGE_DIGITAL_SIGNATURE))
		return judge_refuse(candidate, 0, VERIFY_WRONG_PURPOSE,
		    "lacks digitalSignature in its keyUsage; issue it with that");
	return true;
}

const char *
judge_ca_lacks(const struct x509 *ca, enum role role)
{
	for (const char *const *oid = purposes[role].needs; *oid; oid++)
		if (ca->has_purposes && !x509_has_purpose(ca, *oid))
			return purpose_text(*oid);
	return NULL;
}

/* A CA that restricts its purposes restricts those below it; one with a ceiling is for agents,
 * so that no customer's sub-CA makes clients, whom no ceiling holds. */
static bool
judge_ca_purpose(struct candidate *candidate, size_t position)
{
	const struct x509 *ca = facts_of(candidate, position);
	const char *lacks = judge_ca_lacks(ca, candidate->role);
	if (lacks)
		return judge_refuse(candidate, position, VERIFY_WRONG_PURPOSE,
		    "may not issue for the role %s: its extKeyUsage lacks %s",
		    role_word(candidate->role), lacks);
	return candidate->role == ROLE_AGENT || !ca->has_grant ||
	    judge_refuse(candidate, position, VERIFY_WRONG_PURPOSE,
		"carries a grant, so it may issue for agents only; have another CA issue the one below it");
}

static bool
judge_purpose(struct candidate *candidate)
{
	if (!judge_leaf_purpose(candidate))
		return false;
	for (size_t i = 1; i < candidate->path->count; i++)
		if (!judge_ca_purpose(candidate, i))
			return false;
	return true;
}

/* ---- names ---- */

static bool
judge_constraints(struct candidate *candidate)
{
	char why[200];
	for (size_t ca = 1; ca < candidate->path->count; ca++)
		for (size_t i = 0; i < ca; i++) {
			const struct x509 *facts = facts_of(candidate, i);
			if ((i == 0 || !x509_is_self_issued(facts)) &&
			    !constraint_allows(facts_of(candidate, ca), facts, why, sizeof why))
				return judge_refuse(candidate, i, VERIFY_NAME_NOT_PERMITTED,
				    "is beyond the name constraints of certificate %zu: its %s",
				    ca + 1, why);
		}
	if (candidate->names_doubted)
		return judge_refuse(candidate, 0, VERIFY_NAME_NOT_PERMITTED,
		    "has a name beyond the name constraints of a CA above it");
	return true;
}

static bool
judge_policies(struct candidate *candidate)
{
	size_t position;
	const char *why;
	return policy_allows(candidate->path, &position, &why) ||
	    judge_refuse(candidate, position, VERIFY_NO_POLICY, "%s", why);
}

/* An agent's names are its authority, so every one must be a name. */
static bool
judge_agent_names(struct candidate *candidate)
{
	struct cursor names = der_over(facts_of(candidate, 0)->names);
	struct der name;
	while (candidate->role == ROLE_AGENT && x509_next_name_of(&names, NAME_DNS, &name)) {
		char pattern[NAME_SIZE];
		if (!name_normalise_pattern(pattern, (const char *)name.data, name.bytes))
			return judge_refuse(candidate, 0, VERIFY_BAD_CERTIFICATE,
			    "has a dNSName that is not a host name; issue it with letters, digits, - and _");
	}
	return true;
}

static bool
san_is_host(struct der san, const char *host, const struct der *address)
{
	char pattern[NAME_SIZE];
	if (address->bytes > 0)
		return der_equal(san, *address);
	return name_normalise_pattern(pattern, (const char *)san.data, san.bytes) &&
	    name_matches(pattern, host, false);
}

static size_t
parse_address(const char *host, uint8_t out[16])
{
	return inet_pton(AF_INET, host, out) == 1 ? 4
	    : inet_pton(AF_INET6, host, out) == 1 ? 16
						  : 0;
}

static bool
judge_host(struct candidate *candidate)
{
	char host[NAME_SIZE];
	uint8_t octets[16];
	if (!candidate->host || !purposes[candidate->role].has_host)
		return true;
	struct der address = { octets, parse_address(candidate->host, octets) };
	bool is_name = name_normalise(host, candidate->host, strlen(candidate->host));
	enum general_name kind = address.bytes > 0 ? NAME_ADDRESS : NAME_DNS;
	struct cursor sans = der_over(facts_of(candidate, 0)->names);
	struct der san;
	while ((is_name || address.bytes > 0) && x509_next_name_of(&sans, kind, &san))
		if (san_is_host(san, host, &address))
			return true;
	return judge_refuse(candidate, 0, VERIFY_NAME_MISMATCH,
	    "is not for \"%.100s\": no subjectAltName says so; dial a name that it has, or issue it with this one",
	    is_name                 ? host
		: address.bytes > 0 ? candidate->host
				    : "(no host name)");
}

/* ---- the grant ---- */

static bool
judge_grant(struct candidate *candidate)
{
	const char *why;
	struct grant ceiling;
	if (candidate->role != ROLE_AGENT)
		return true;
	const struct x509 *leaf = facts_of(candidate, 0);
	if (!leaf->has_grant)
		return judge_refuse(candidate, 0, VERIFY_GRANT_MISSING,
		    "has no grant; have it issued for an agent (valise-pki issue agent)");
	if (!grant_decode(&candidate->grant, leaf->grant.data, leaf->grant.bytes, &why))
		return judge_refuse(
		    candidate, 0, VERIFY_GRANT_REFUSED, "is refused, as its grant %s", why);
	for (size_t i = 1; i < candidate->path->count; i++) {
		const struct x509 *ca = facts_of(candidate, i);
		if (!ca->has_grant)
			continue;
		if (!grant_decode(&ceiling, ca->grant.data, ca->grant.bytes, &why))
			return judge_refuse(
			    candidate, i, VERIFY_GRANT_REFUSED, "is refused, as its grant %s", why);
		if (!grant_limits_apply(&candidate->grant, &ceiling))
			return judge_refuse(candidate, i, VERIFY_GRANT_REFUSED,
			    "sets a ceiling that leaves the agent no address or no region to be in");
	}
	return true;
}

/* ---- revocation ---- */

/* Every certificate but the anchor, by the CRL of its issuer. */
static bool
judge_revocation(struct candidate *candidate)
{
	struct revocation *revocation = trust_revocation(candidate->trust);
	for (size_t i = 0; revocation && i + 1 < candidate->path->count; i++) {
		const struct chain_link *link = candidate->path->links[i],
					*above = candidate->path->links[i + 1];
		struct revocation_facts facts;
		char issuer[NAME_TEXT], what[220];
		enum revocation_status status = revocation_ask(revocation, &above->issuer,
		    &link->facts.serial, link->facts.not_after, candidate->now, &facts);
		if (status == UNREVOKED)
			continue;
		x509_name_text(above->facts.subject, issuer, sizeof issuer);
		enum verify_code code = revocation_verdict(
		    status, &facts, issuer, trust_label(candidate->trust), what, sizeof what);
		return judge_refuse(candidate, i, code, "%s", what);
	}
	return true;
}

/* What a certificate is comes before what it says, and all of it before what CRLs say. */
static bool (*const judgements[])(struct candidate *) = {
	judge_extensions,
	judge_issuers,
	judge_strength,
	judge_signatures,
	judge_times,
	judge_way,
	judge_purpose,
	judge_constraints,
	judge_policies,
	judge_agent_names,
	judge_host,
	judge_grant,
	judge_revocation,
};

bool
judge_chain(struct candidate *candidate)
{
	candidate->verdict.is_vouched = false;
	candidate->passed = 0;
	while (candidate->passed < sizeof judgements / sizeof *judgements)
		if (!judgements[candidate->passed++](candidate))
			return false;
	return true;
}
