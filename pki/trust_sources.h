/*
 * What a trust is made from: the files of one configuration key pair (`*_cas`,
 * `*_crls`) and the policy for CRLs that are missing or have ended.
 */
#ifndef PKI_TRUST_SOURCES_H
#define PKI_TRUST_SOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum crl_missing {
	CRL_MISSING_REJECT, /* an issuer in the chain without a CRL: refused */
	CRL_MISSING_ALLOW,
};

enum crl_expired {
	CRL_EXPIRED_REJECT, /* refused from nextUpdate on */
	CRL_EXPIRED_GRACE,  /* refused from nextUpdate + grace_s on */
	CRL_EXPIRED_ALLOW,
};

struct crl_catalogue;

enum { CRL_GRACE_S = 24 * 3600 }; /* what `expired: grace` means without a number */

/* Borrowed for the call. */
struct trust_sources {
	const char *const *ca_files; /* PEM with any number of certificates, or DER */
	size_t ca_count;
	bool roots_alone;             /* sub-CAs listed beside their roots do not narrow them */
	const char *const *crl_files; /* PEM with any number of CRLs, or DER */
	size_t crl_count;
	/* URLs of CRLs that are fetched and kept in state_dir (crl_store.h).  What is absent there is no
	 * fault, and what is bad is passed over with a warning. */
	const char *const *crl_urls;
	size_t crl_url_count;
	bool crls_configured; /* false: nothing is checked for revocation */
	enum crl_missing missing;
	enum crl_expired expired;
	int64_t grace_s;
	/* What stands in all CRL files of the daemon; NULL: it has no others. */
	const struct crl_catalogue *catalogue;
	const char *state_dir; /* where the highest CRL numbers are kept; NULL: only in memory */
	bool keeps_nothing;    /* state_dir is read and not written: a check */
	/* At a start: a clock that cannot be right gives a trust that believes nobody, instead of none. */
	bool waits_for_clock;
	const char *label; /* what messages call this set: the configuration key */
	int64_t now;       /* seconds since 1970; 0: the wall clock */
};

#endif
