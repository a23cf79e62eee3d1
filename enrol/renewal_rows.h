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

/* Where the authority has the CRLs by which it is judged itself; returns out. */
enum { RENEWAL_ROWS_URL = 1024 };
const char *renewal_rows_crl_url(const char *url, char out[RENEWAL_ROWS_URL]);

/* What spans keys: there is a certificate, in another file than its key. */
void renewal_rows_check(const struct renewal_settings *, const char *certificate,
    const char *private_key, struct conf_report *);

#endif
