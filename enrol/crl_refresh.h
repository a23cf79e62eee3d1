/*
 * CRLs that refresh themselves: each URL of the keys `crl_url` is asked again and again, and what is newer
 * and right goes into the store (pki/crl_store.h), where the trust sets that name the URL find it as they
 * find a file that has changed.  So a fetch swaps nothing by itself, and what is held already stays in force
 * whatever becomes of it.
 *
 *	due --> under way --> 304, or 200 and a CRL that is taken --> due in 15 min
 *	             |
 *	             +--> failed --> due in 10 s, 20 s, 40 s ... 15 min, or what Retry-After says
 *
 * All times are the wall clock's, and looked at every few seconds: a host may sleep, and its clock jump.
 * Each wait is up to an eighth shorter or longer, so that hosts do not come together.  CRLs that live short
 * are asked for ten times in their lives.
 *
 * What came is judged by the CAs of the keys that name the URL before it takes the place of what was there:
 * each CRL in it must be whole, signed, not from the future and not older than one seen before (RFC 5280,
 * 5.2.3).  One whose issuer is not listed (a customer's sub-CA, whose certificate agents bring along) is
 * taken by https only, and only by http no issuer may get lost that the file had: whoever is on the way of
 * http can withhold a CRL, and nothing more.  https is believed by the system's CAs and by those of the
 * keys, of a certificate for servers.
 *
 * Shared by:     the URLs of one daemon.
 * Bound:         CRL_REFRESH_UNDER_WAY fetches, CRL_REFRESH_BYTES each.
 * Who leaves:    nobody; what is due waits for its turn.
 *
 * Belongs to one loop.
 */
#ifndef ENROL_CRL_REFRESH_H
#define ENROL_CRL_REFRESH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct conf_texts;
struct crl_refresh;
struct fetch_proxy;
struct fetcher;
struct loop;

enum { CRL_REFRESH_UNDER_WAY = 8, CRL_REFRESH_BYTES = 32 << 20 };

/* One key pair that names URLs. */
struct crl_refresh_subject {
	const char *label; /* what messages call the CAs */
	const struct conf_texts *cas, *urls;
	const char *dial; /* "host:port" to connect to instead of the URLs'; NULL: theirs */
};

struct crl_refresh_options {
	struct loop *loop;
	struct fetcher *fetcher; /* borrowed */
	const char *state_dir;   /* copied */
	/* A URL has no answer although its CRLs are absent or in their last third: a sentence.  NULL: it has
	 * one again.  `part` is what to call it. */
	void (*on_fault)(void *arg, const char *part, const char *sentence);
	void *arg;
};

/* NULL when memory is short.  There are no URLs yet. */
struct crl_refresh *crl_refresh_new(const struct crl_refresh_options *);
void crl_refresh_free(struct crl_refresh *);

/* From now on these, all of them due at once; subjects are copied, the proxy (or NULL) is borrowed until the
 * next call.  False when memory is short: it is as before. */
bool crl_refresh_set(struct crl_refresh *, const struct crl_refresh_subject *, size_t count,
    const struct fetch_proxy *);

/* For a status document: a list of {"url", "keys", "fetched", "until", "next", "failing_since", "error"};
 * times as text, those that are not known left out.  NULL when memory is short. */
json_t *crl_refresh_describe(const struct crl_refresh *);

#endif
