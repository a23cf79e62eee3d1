/* A trust set that is made of the CAs and of the candidate alone, and thrown away. */
#include "enrol/crl_judge.h"

#include <stdio.h>

#include "pki/crl_catalogue.h"
#include "pki/crl_store.h"
#include "pki/trust.h"
#include "pki/x509.h"

enum { NAME_TEXT = 180 };

static bool
fail_as_strange(const char *issuer, const char *label, char error[CRL_JUDGE_ERROR])
{
	snprintf(error, CRL_JUDGE_ERROR,
	    "the CRL of %s cannot be judged, because that CA is not among %.60s: list its "
	    "certificate there, or have the CRL fetched by https",
	    issuer, label);
	return false;
}

bool
crl_judge(
    const struct trust_sources *of, const char *url, bool is_secure, char error[CRL_JUDGE_ERROR])
{
	char path[PATH_MAX], issuer[NAME_TEXT];
	const char *file = crl_store_new_path(of->state_dir, url, path);
	const struct trust_sources sources = {
		.ca_files = of->ca_files,
		.ca_count = of->ca_count,
		.crl_files = &file,
		.crl_count = 1,
		.crls_configured = true,
		.missing = CRL_MISSING_ALLOW,
		.expired = CRL_EXPIRED_ALLOW,
		.state_dir = of->state_dir,
		.keeps_nothing = true,
		.label = of->label,
		.now = of->now,
	};
	struct trust *trust = trust_load(&sources, NULL, error, CRL_JUDGE_ERROR);
	bool is_fine = trust &&
	    (is_secure || !trust_stranger(trust, issuer, sizeof issuer) ||
		fail_as_strange(issuer, of->label, error));

	trust_release(trust);
	return is_fine;
}

/* Two CAs of one name have two keys; a CRL may leave its issuer's out. */
static bool
are_of_one_issuer(const struct crl_listing *a, const struct crl_listing *b)
{
	return der_equal(a->issuer, b->issuer) &&
	    (a->authority_key.bytes == 0 || b->authority_key.bytes == 0 ||
		der_equal(a->authority_key, b->authority_key));
}

static bool
has_issuer(const struct crl_catalogue *catalogue, const struct crl_listing *of)
{
	const struct crl_listing *listing;

	for (size_t i = 0; (listing = crl_catalogue_at(catalogue, i)); i++)
		if (are_of_one_issuer(listing, of))
			return true;
	return false;
}

static bool
has_all_of(const struct crl_catalogue *fresh, const struct crl_catalogue *held, int64_t now_s,
    char error[CRL_JUDGE_ERROR])
{
	const struct crl_listing *listing;
	char name[NAME_TEXT];

	for (size_t i = 0; (listing = crl_catalogue_at(held, i)); i++) {
		if (listing->next_update < now_s || has_issuer(fresh, listing))
			continue;
		snprintf(error, CRL_JUDGE_ERROR,
		    "there is no CRL of %s any more, and by http that may be anybody's doing; it is "
		    "taken when the one held has ended, or by https",
		    x509_name_text(listing->issuer, name, sizeof name));
		return false;
	}
	return true;
}

bool
crl_judge_loses_nobody(
    const char *state_dir, const char *url, int64_t now_s, char error[CRL_JUDGE_ERROR])
{
	char fresh_path[PATH_MAX], held_path[PATH_MAX];
	const char *fresh_file = crl_store_new_path(state_dir, url, fresh_path),
		   *held_file = crl_store_path(state_dir, url, held_path);
	struct crl_catalogue *fresh = crl_catalogue_new(&fresh_file, 1),
			     *held = crl_catalogue_new(&held_file, 1);
	bool is_fine = false;

	if (fresh && held)
		is_fine = has_all_of(fresh, held, now_s, error);
	else
		snprintf(error, CRL_JUDGE_ERROR, "memory is short");
	crl_catalogue_free(fresh);
	crl_catalogue_free(held);
	return is_fine;
}
