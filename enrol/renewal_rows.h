/*
 * The configuration rows of `renew: {url, address, cas, before, rekey}`, by which a daemon says where its
 * certificate is renewed: said once for both.
 *
 *	struct settings { struct renewal_settings renew; ... };
 *	RENEWAL_ROW("agent.renew", struct settings, renew),
 *	renewal_rows_check(&settings.renew, settings.certificate, settings.private_key, report);
 */
#ifndef ENROL_RENEWAL_ROWS_H
#define ENROL_RENEWAL_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/conf.h"

struct renewal_settings {
	char *url;             /* of the authority; NULL: nothing is renewed */
	char *address;         /* "host:port" to connect to instead; NULL: as the URL says */
	struct conf_texts cas; /* roots by which the authority is judged, and what it sends */
	char *before;          /* as renewal_rows_before() reads it */
	bool rekey;            /* a new key with each certificate */
	struct conf_mark mark; /* line 0: not given */
};

/* Of a struct renewal_settings. */
extern const struct conf_row renewal_rows[];

/* As in base/daemon_rows.h, laid out by hand. */
/* clang-format off */
#define RENEWAL_ROW(key, type, member) \
	{ key, CONF_MAPPING, offsetof(type, member), .table = renewal_rows, \
	    .mark_offset = offsetof(type, member.mark) }
/* clang-format on */

/* How long before its end a certificate with this life is renewed: of "33%" that part of the life, of
 * "30d" that time, but no more than nine tenths of the life. */
int64_t renewal_rows_before(const char *text, int64_t life_s);

/* Whether half of the time is over in which it should have been renewed. */
bool renewal_rows_is_late(
    const struct renewal_settings *, int64_t not_before, int64_t not_after, int64_t now);

/* Where the authority has the CRLs by which it is judged itself, as a list that lives in `crl`; empty without
 * a url. */
enum { RENEWAL_ROWS_URL = 1024 };
struct renewal_crl {
	char url[RENEWAL_ROWS_URL], *urls[1];
	struct conf_texts texts;
};
const struct conf_texts *renewal_rows_crl(struct renewal_crl *, const char *url);

/* Where to connect for these URLs instead of their own hosts: the authority's address, if all of them are
 * below its URL; else NULL. */
const char *renewal_rows_dial(const struct renewal_settings *, const struct conf_texts *urls);

/* What spans keys: there is a certificate, in another file than its key. */
void renewal_rows_check(const struct renewal_settings *, const char *certificate,
    const char *private_key, struct conf_report *);

#endif
