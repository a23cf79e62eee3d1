#include "pki/judge.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <gnutls/x509.h>

#include "pki/constraint.h"
#include "pki/crl.h"
#include "pki/inside.h"
#include "pki/oid.h"
#include "pki/signature.h"
#include "sni/name.h"

enum { NAME_TEXT = 90, RSA_LEAST = 2048, RSA_MOST = 16384 };

bool
judge_refuse(struct trial *trial, size_t position, enum verify_code code, const char *format, ...)
{
	const struct x509 *facts = &trial->path->links[position]->facts;
	char subject[NAME_TEXT], issuer[NAME_TEXT], fingerprint[65], what[VERDICT_SENTENCE];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(what, sizeof what, format, arguments);
	va_end(arguments);
	snprintf(trial->verdict.sentence, VERDICT_SENTENCE,
	    "certificate %zu of %zu (%s, issued by %s, SHA-256 %s) %.200s", position + 1,
	    trial->path->count, x509_name_text(facts->subject, subject, sizeof subject),
	    x509_name_text(facts->issuer, issuer, sizeof issuer),
	    x509_fingerprint(facts->whole, fingerprint), what);
	return verdict_set(&trial->verdict, code, (int)position);
}

static const struct x509 *
facts_of(const struct trial *trial, size_t position)
{
	return &trial->path->links[position]->facts;
}

/* ---- what the certificates are ---- */

static bool
judge_extensions(struct trial *trial)
{
	for (size_t i = 0; i < trial->path->count; i++)
		if (facts_of(trial, i)->unknown.bytes > 0)
			return judge_refuse(trial, i, VERIFY_BAD_CERTIFICATE,
			    "has a critical extension that is not known here; issue it without");
	return true;
}

static bool
is_self_issued(const struct x509 *facts)
{
	return der_equal(facts->subject, facts->issuer);
}

static bool
judge_authority(struct trial *trial)
{
	int below = 0;	/* CAs between the one at hand and the leaf, self-issued ones aside */
	if (facts_of(trial, 0)->is_ca)
		return judge_refuse(trial, 0, VERIFY_WRONG_PURPOSE,
		    "is a CA; present one that a CA issued to this party");
	for (size_t i = 1; i < trial->path->count; i++) {
		const struct x509 *ca = facts_of(trial, i);
		if (!ca->is_ca || !x509_may(ca, USAGE_SIGN_CERTIFICATES))
			return judge_refuse(trial, i, VERIFY_BAD_CHAIN,
			    "may not issue certificates, yet did; have a CA issue the one below it");
		if (ca->path_length >= 0 && below > ca->path_length)
			return judge_refuse(trial, i, VERIFY_BAD_CHAIN,
			    "allows %d CAs below it, the chain has %d", ca->path_length, below);
		below += !is_self_issued(ca);
	}
	return true;
}

static bool
key_is_strong(gnutls_x509_crt_t crt)
{
	unsigned bits = 0;
	switch (gnutls_x509_crt_get_pk_algorithm(crt, &bits)) {
	case GNUTLS_PK_RSA:
	case GNUTLS_PK_RSA_PSS:
		return bits >= RSA_LEAST && bits <= RSA_MOST;	/* a longer one would cost us hours */
	case GNUTLS_PK_ECDSA:
		return bits >= 256;
	case GNUTLS_PK_EDDSA_ED25519:
	case GNUTLS_PK_EDDSA_ED448:
		return true;
	default:
		return false;
	}
}

/* A root's own signature proves nothing, so its algorithm does not matter. */
static bool
judge_strength(struct trial *trial)
{
	for (size_t i = 0; i < trial->path->count; i++) {
		if (!key_is_strong(trial->path->links[i]->crt))
			return judge_refuse(trial, i, VERIFY_WEAK_KEY,
			    "has a key that is not accepted; use P-256, Ed25519 or RSA of %d to %d bits",
			    RSA_LEAST, RSA_MOST);
		if (i + 1 < trial->path->count && !signature_is_strong(facts_of(trial, i)->algorithm))
			return judge_refuse(trial, i, VERIFY_WEAK_KEY,
			    "is signed with a weak algorithm; issue it anew with SHA-256");
	}
	return true;
}

/* The lowest CA from which all signatures up to the root were checked when they were loaded. */
static size_t
find_checked(const struct path *path)
{
	size_t i = path->count - 1;
	while (i > 1 && path->links[i - 1]->ca != NULL &&
	    path->links[i - 1]->ca->issuer == path->links[i]->ca)
		i--;
	return i;
}

/* The certificate whose signature is wrong, from the top down, so that no key is used that
 * nobody vouches for: a stranger's could keep us busy for hours.  `last` if all are right. */
static size_t
find_forged(const struct trial *trial, size_t last)
{
	for (size_t i = last; i-- > 0;)
		if (!signature_verifies(facts_of(trial, i + 1)->spki, facts_of(trial, i)->algorithm,
		    facts_of(trial, i)->signed_part, facts_of(trial, i)->signature))
			return i;
	return last;
}

/* What was not checked at the start, by GnuTLS: signatures above all, and a second
 * opinion on the rest. */
static bool
judge_signatures(struct trial *trial)
{
	gnutls_x509_crt_t list[PATH_LINKS];
	unsigned status = 0;
	size_t last = find_checked(trial->path);
	for (size_t i = 0; i <= last; i++)
		list[i] = trial->path->links[i]->crt;
	int result = gnutls_x509_crt_list_verify(list, (unsigned)last, &list[last], 1, NULL, 0,
	    GNUTLS_VERIFY_DISABLE_TIME_CHECKS | GNUTLS_VERIFY_DO_NOT_ALLOW_X509_V1_CA_CRT, &status);
	trial->names_doubted = status & GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE;
	if (result < 0)
		return judge_refuse(trial, 0, VERIFY_BAD_CERTIFICATE, "cannot be judged by GnuTLS");
	if (status & GNUTLS_CERT_INSECURE_ALGORITHM)
		return judge_refuse(trial, 0, VERIFY_WEAK_KEY,
		    "or one above it is signed with a weak algorithm; issue it anew with SHA-256");
	size_t forged = status == 0 ? last : find_forged(trial, last);
	if (forged < last)
		return judge_refuse(trial, forged, VERIFY_BAD_CERTIFICATE,
		    "is not signed by the key of its issuer: forged, damaged or of another key");
	if (status != 0 && !trial->names_doubted)
		return judge_refuse(trial, 0, VERIFY_BAD_CERTIFICATE, "or one above it is refused by GnuTLS");
	return true;
}

static bool
judge_times(struct trial *trial)
{
	char when[X509_TIME_TEXT];
	for (size_t i = 0; i < trial->path->count; i++) {
		const struct x509 *facts = facts_of(trial, i);
		if (trial->now > facts->not_after)
			return judge_refuse(trial, i, VERIFY_EXPIRED, "has ended on %s; renew it",
			    x509_time_text(facts->not_after, when));
		if (trial->now + TIME_SKEW_S < facts->not_before)
			return judge_refuse(trial, i, VERIFY_NOT_YET_VALID,
			    "begins on %s; look whether the clocks are right",
			    x509_time_text(facts->not_before, when));
	}
	return true;
}

/* Sub-CAs listed beside the root narrow it. */
static bool
judge_way(struct trial *trial)
{
	const struct path *path = trial->path;
	const struct authority *authority = trust_authority(trial->trust);
	if (!path->links[path->count - 1]->ca->narrowed)
		return true;
	for (size_t i = 1; i + 1 < path->count; i++)
		if (authority_has_lowest(authority, path->links[i]->issuer.id))
			return true;
	return judge_refuse(trial, 0, VERIFY_UNKNOWN_CA,
	    "comes by none of the sub-CAs listed in %s; have the right CA issue it, or list its CA",
	    trust_label(trial->trust));
}

/* ---- what they are for ---- */

static const struct purpose {
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
	return strcmp(oid, OID_SERVER_AUTH) == 0 ? "serverAuth" :
	    strcmp(oid, OID_CLIENT_AUTH) == 0 ? "clientAuth" : "the agent purpose " OID_AGENT_PURPOSE;
}

static bool
judge_leaf_purpose(struct trial *trial)
{
	const struct purpose *purpose = &purposes[trial->role];
	const struct x509 *leaf = facts_of(trial, 0);
	for (const char *const *oid = purpose->needs; *oid != NULL; oid++)
		if (!x509_has_purpose(leaf, *oid))
			return judge_refuse(trial, 0, VERIFY_WRONG_PURPOSE,
			    "does not have %s in its extKeyUsage; present one issued for the role %s",
			    purpose_text(*oid), role_word(trial->role));
	for (const char *const *oid = purpose->forbids; *oid != NULL; oid++)
		if (x509_has_purpose(leaf, *oid))
			return judge_refuse(trial, 0, VERIFY_WRONG_PURPOSE,
			    "has %s in its extKeyUsage, which no %s may; present one issued for that role",
			    purpose_text(*oid), role_word(trial->role));
	if (trial->role != ROLE_AGENT && leaf->has_grant)
		return judge_refuse(trial, 0, VERIFY_WRONG_PURPOSE,
		    "carries an agent's grant; present one issued for the role %s", role_word(trial->role));
	if (!x509_may(leaf, USAGE_DIGITAL_SIGNATURE))
		return judge_refuse(trial, 0, VERIFY_WRONG_PURPOSE,
		    "lacks digitalSignature in its keyUsage; issue it with that");
	return true;
}

/* A CA that restricts its purposes restricts those below it; one with a ceiling is for agents,
 * so that no customer's sub-CA makes clients, whom no ceiling holds. */
static bool
judge_ca_purpose(struct trial *trial, size_t position)
{
	const struct x509 *ca = facts_of(trial, position);
	for (const char *const *oid = purposes[trial->role].needs; *oid != NULL; oid++)
		if (ca->has_purposes && !x509_has_purpose(ca, *oid))
			return judge_refuse(trial, position, VERIFY_WRONG_PURPOSE,
			    "may not issue for the role %s: its extKeyUsage lacks %s",
			    role_word(trial->role), purpose_text(*oid));
	return trial->role == ROLE_AGENT || !ca->has_grant ||
	    judge_refuse(trial, position, VERIFY_WRONG_PURPOSE,
	    "carries a grant, so it may issue for agents only; have another CA issue the one below it");
}

static bool
judge_purpose(struct trial *trial)
{
	if (!judge_leaf_purpose(trial))
		return false;
	for (size_t i = 1; i < trial->path->count; i++)
		if (!judge_ca_purpose(trial, i))
			return false;
	return true;
}

/* ---- names ---- */

static bool
judge_constraints(struct trial *trial)
{
	char why[200];
	for (size_t ca = 1; ca < trial->path->count; ca++)
		for (size_t i = 0; i < ca; i++) {
			const struct x509 *facts = facts_of(trial, i);
			if ((i == 0 || !is_self_issued(facts)) &&
			    !constraint_allows(facts_of(trial, ca), facts, why, sizeof why))
				return judge_refuse(trial, i, VERIFY_NAME_NOT_PERMITTED,
				    "is beyond the name constraints of certificate %zu: its %s", ca + 1, why);
		}
	if (trial->names_doubted)
		return judge_refuse(trial, 0, VERIFY_NAME_NOT_PERMITTED,
		    "has a name beyond the name constraints of a CA above it");
	return true;
}

/* An agent's names are its authority, so every one must be a name. */
static bool
judge_agent_names(struct trial *trial)
{
	struct cursor names = der_over(facts_of(trial, 0)->names);
	while (trial->role == ROLE_AGENT && names.left > 0 && !names.failed) {
		unsigned tag;
		char pattern[NAME_SIZE];
		struct der name = der_any(&names, &tag);
		if (tag == NAME_DNS && !name_normalise_pattern(pattern, (const char *)name.data, name.bytes))
			return judge_refuse(trial, 0, VERIFY_BAD_CERTIFICATE,
			    "has a dNSName that is no host name; issue it with letters, digits, - and _");
	}
	return true;
}

static bool
san_is_host(unsigned tag, struct der san, const char *host, const struct der *address)
{
	char pattern[NAME_SIZE];
	if (address->bytes > 0)
		return tag == NAME_ADDRESS && der_equal(san, *address);
	return tag == NAME_DNS && name_normalise_pattern(pattern, (const char *)san.data, san.bytes) &&
	    name_matches(pattern, host, false);
}

static size_t
parse_address(const char *host, uint8_t out[16])
{
	return inet_pton(AF_INET, host, out) == 1 ? 4 : inet_pton(AF_INET6, host, out) == 1 ? 16 : 0;
}

static bool
judge_host(struct trial *trial)
{
	char host[NAME_SIZE];
	uint8_t octets[16];
	if (trial->host == NULL || !purposes[trial->role].has_host)
		return true;
	struct der address = { octets, parse_address(trial->host, octets) };
	bool is_name = name_normalise(host, trial->host, strlen(trial->host));
	struct cursor sans = der_over(facts_of(trial, 0)->names);
	while ((is_name || address.bytes > 0) && sans.left > 0 && !sans.failed) {
		unsigned tag;
		struct der san = der_any(&sans, &tag);
		if (san_is_host(tag, san, host, &address))
			return true;
	}
	return judge_refuse(trial, 0, VERIFY_NAME_MISMATCH,
	    "is not for \"%.100s\": no subjectAltName says so; dial a name that it has, or issue it with this one",
	    is_name ? host : address.bytes > 0 ? trial->host : "(no host name)");
}

/* ---- the grant ---- */

static bool
judge_grant(struct trial *trial)
{
	const char *why;
	struct grant ceiling;
	if (trial->role != ROLE_AGENT)
		return true;
	const struct x509 *leaf = facts_of(trial, 0);
	if (!leaf->has_grant)
		return judge_refuse(trial, 0, VERIFY_GRANT_MISSING,
		    "has no grant; have it issued for an agent (valise-pki issue agent)");
	if (!grant_decode(&trial->grant, leaf->grant.data, leaf->grant.bytes, &why))
		return judge_refuse(trial, 0, VERIFY_GRANT_REFUSED, "is refused, as its grant %s", why);
	for (size_t i = 1; i < trial->path->count; i++) {
		const struct x509 *ca = facts_of(trial, i);
		if (!ca->has_grant)
			continue;
		if (!grant_decode(&ceiling, ca->grant.data, ca->grant.bytes, &why))
			return judge_refuse(trial, i, VERIFY_GRANT_REFUSED, "is refused, as its grant %s", why);
		if (!grant_narrow(&trial->grant, &ceiling))
			return judge_refuse(trial, i, VERIFY_GRANT_REFUSED,
			    "sets a ceiling that leaves the agent no address or no region to be in");
	}
	return true;
}

/* ---- revocation ---- */

enum verify_code
judge_standing(enum standing standing, const struct standing_facts *facts, const char *issuer,
	const char *label, char *what, size_t what_bytes)
{
	char when[X509_TIME_TEXT];
	switch (standing) {
	case STANDS:
		return VERIFY_OK;
	case REVOKED:
		snprintf(what, what_bytes, "was revoked on %s (%s); use another",
		    x509_time_text(facts->revoked_at, when), crl_reason_word(facts->reason));
		return VERIFY_REVOKED;
	case NO_CRL:
		snprintf(what, what_bytes, "cannot be checked: there is no CRL of %.90s; add it to the CRLs beside %s",
		    issuer, label);
		return VERIFY_CRL_MISSING;
	case CRL_TOO_OLD:
		snprintf(what, what_bytes, "cannot be checked: the CRL of %.90s has ended on %s; install a new one",
		    issuer, x509_time_text(facts->next_update, when));
		return VERIFY_CRL_EXPIRED;
	case CRL_REFUSED:
		snprintf(what, what_bytes, "cannot be checked: the CRL of %.90s is forged, damaged or rolled back",
		    issuer);
		return VERIFY_CRL_REFUSED;
	}
	return VERIFY_INTERNAL;
}

/* Every certificate but the anchor, by the CRL of its issuer. */
static bool
judge_revocation(struct trial *trial)
{
	struct revocation *revocation = trust_revocation(trial->trust);
	for (size_t i = 0; revocation != NULL && i + 1 < trial->path->count; i++) {
		const struct link *link = trial->path->links[i], *above = trial->path->links[i + 1];
		struct standing_facts facts;
		char issuer[NAME_TEXT], what[220];
		enum standing standing = revocation_ask(revocation, &above->issuer,
		    &link->facts.serial, link->facts.not_after, trial->now, &facts);
		if (standing == STANDS)
			continue;
		x509_name_text(above->facts.subject, issuer, sizeof issuer);
		enum verify_code code = judge_standing(standing, &facts, issuer,
		    trust_label(trial->trust), what, sizeof what);
		return judge_refuse(trial, i, code, "%s", what);
	}
	return true;
}

/* What a certificate is comes before what it says, and all of it before what CRLs say. */
static bool (*const judgements[])(struct trial *) = {
	judge_extensions, judge_authority, judge_strength, judge_signatures, judge_times, judge_way,
	judge_purpose, judge_constraints, judge_agent_names, judge_host, judge_grant, judge_revocation,
};

bool
judge_chain(struct trial *trial)
{
	for (size_t i = 0; i < sizeof judgements / sizeof *judgements; i++)
		if (!judgements[i](trial))
			return false;
	return true;
}
