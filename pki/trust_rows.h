/*
 * The configuration rows of a trust, `crl: {missing, expired}`, and the way from
 * settings to a struct trust_sources: said once for all daemons.
 *
 *	struct settings { struct conf_texts cas, crls, crl_urls; struct crl_policy_settings crl; ... };
 *	TRUST_CRL_ROWS("connect.crl", struct settings, crl),
 *	trust_rows_fill(&sources, &settings.cas, &settings.crls, &settings.crl_urls, &settings.crl);
 */
#ifndef PKI_TRUST_ROWS_H
#define PKI_TRUST_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/conf.h"
#include "pki/trust_sources.h"

/* As they are written; what is not given has the default of its row. */
struct crl_policy_settings {
	int missing;   /* enum crl_missing */
	char *expired; /* "reject", "allow", "grace" or "grace DURATION" */
};

extern const char *const trust_rows_missing[];

/* As in base/daemon_rows.h, laid out by hand. */
/* clang-format off */
#define TRUST_CRL_ROWS(key, type, member) \
	{ key ".missing", CONF_WORD, offsetof(type, member.missing), \
	    .words = trust_rows_missing }, \
	{ key ".expired", CONF_TEXT, offsetof(type, member.expired), .fallback = "grace 24h", \
	    .check = trust_rows_is_expired }
/* clang-format on */

bool trust_rows_is_expired(const char *text, char error[256]);
/* *grace_s is 0 unless it is a grace.  False if the text is not a policy. */
bool trust_rows_expired(const char *text, enum crl_expired *, int64_t *grace_s);

/* Files, URLs and policy; state_dir, label and now are left empty.  Borrows the texts.  Without a
 * policy, or where its text is NULL, that of the rows' defaults. */
void trust_rows_fill(struct trust_sources *, const struct conf_texts *cas,
    const struct conf_texts *crls, const struct conf_texts *crl_urls,
    const struct crl_policy_settings *);

#endif
