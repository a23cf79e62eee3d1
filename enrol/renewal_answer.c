/* A chain that came against the certificate that it is to replace. */
#include "enrol/renewal_answer.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"
#include "pki/cert.h"
#include "pki/identity.h"
#include "pki/pem.h"
#include "pki/trust.h"
#include "pki/trust_rows.h"
#include "pki/verify.h"

static const char what[] = "the certificate that the authority sent";

/* ---- the key ---- */

static bool
judge_key(const struct renewal_answer_wanted *wanted, const struct cert_facts *fresh, char *error)
{
	if (memcmp(wanted->key, fresh->key.digest, sizeof fresh->key.digest) == 0)
		return true;
	snprintf(error, RENEWAL_ANSWER_ERROR, "%s is for another key than ours", what);
	return false;
}

/* ---- beside the old one ---- */

static bool
has_name(const struct cert_facts *facts, const char *name)
{
	for (size_t i = 0; i < facts->san_count; i++)
		if (strcasecmp(facts->sans[i], name) == 0)
			return true;
	return false;
}

static bool
judge_facts(const struct cert_facts *old, const struct cert_facts *fresh, char *error)
{
	char ends[TIME_TEXT], ended[TIME_TEXT];

	for (size_t i = 0; i < old->san_count; i++)
		if (!has_name(fresh, old->sans[i])) {
			snprintf(error, RENEWAL_ANSWER_ERROR,
			    "%s lacks the name %.200s, which the one in force has", what,
			    old->sans[i]);
			return false;
		}
	if (fresh->not_after > old->not_after)
		return true;
	snprintf(error, RENEWAL_ANSWER_ERROR,
	    "%s ends on %s, no later than the one in force (%s); does a CA above it end soon?",
	    what, time_text(fresh->not_after, ends), time_text(old->not_after, ended));
	return false;
}

/* ---- the chain ---- */

static struct trust *
load_roots(const struct conf_texts *cas, char *error)
{
	const struct conf_texts none = { 0 };
	struct trust_sources sources;
	char why[TRUST_ERROR];
	struct trust *trust;

	trust_rows_fill(&sources, cas, &none, &none, NULL);
	sources.label = "renew.cas";
	sources.roots_alone = true; /* a sub-CA there narrows who the authority may be */
	trust = trust_load(&sources, NULL, why, sizeof why);
	if (!trust)
		snprintf(error, RENEWAL_ANSWER_ERROR, "renew.cas: %s", why);
	return trust;
}

bool
renewal_answer_has_roots(const struct conf_texts *cas, char error[RENEWAL_ANSWER_ERROR])
{
	struct trust *trust = load_roots(cas, error);

	if (trust)
		trust_release(trust);
	return trust != NULL;
}

static bool
judge_blocks(const struct renewal_answer_wanted *wanted, const struct pem_file *file, char *error)
{
	struct der chain[VERIFY_CHAIN];
	size_t count = file->count < VERIFY_CHAIN ? file->count : VERIFY_CHAIN;
	struct trust *trust = load_roots(wanted->cas, error);
	struct identity *identity;
	struct verdict verdict;

	if (!trust)
		return false;
	for (size_t i = 0; i < count; i++)
		chain[i] = pem_block(file, i);
	identity =
	    verify_chain(trust, wanted->role, chain, count, wanted->host, clock_wall_s(), &verdict);
	trust_release(trust);
	if (!identity) {
		snprintf(error, RENEWAL_ANSWER_ERROR, "%s would be refused: %.600s", what,
		    verdict.sentence);
		return false;
	}
	identity_release(identity);
	return true;
}

static bool
judge_chain_of(const struct renewal_answer_wanted *wanted, const struct secret *chain, char *error)
{
	struct pem_file file = { 0 };
	const char *why = "cannot be read: memory is short";
	bool is_fine = secret_init(&file.storage, chain->data, chain->bytes) &&
	    pem_decode(&file, PEM_CERTIFICATE, &why);

	if (is_fine)
		is_fine = judge_blocks(wanted, &file, error);
	else
		snprintf(error, RENEWAL_ANSWER_ERROR, "%s %s", what, why);
	pem_wipe(&file);
	return is_fine;
}

bool
renewal_answer_judge(const struct renewal_answer_wanted *wanted, const struct secret *chain,
    char error[RENEWAL_ANSWER_ERROR])
{
	struct cert_facts old = { 0 }, fresh = { 0 };
	bool is_fine = cert_read(&old, wanted->certificate, wanted->path, error) &&
	    cert_read(&fresh, chain, what, error) && judge_key(wanted, &fresh, error) &&
	    judge_chain_of(wanted, chain, error) && judge_facts(&old, &fresh, error);

	cert_wipe(&old);
	cert_wipe(&fresh);
	return is_fine;
}
