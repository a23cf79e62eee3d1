/*
 * What outlives one set of CRLs: the highest CRL number seen of each issuer, so
 * that nobody can go back to an older CRL, and the serials that were once found revoked,
 * which stay revoked until their notAfter even if a later CRL does not list them.
 * Counted and locked; each trust hands it to the next.  Both are kept in files,
 * crl-numbers and crl-revoked in state_dir, which all processes and threads with
 * that directory share.
 *
 * Only certificates that were presented are found revoked, and only by a CRL that
 * was configured.  The memory has room for CRL_HISTORY_REVOKED of them.  All
 * issuers share it; when it is full the issuer that has most loses the one whose
 * certificate ends first.
 */
#ifndef PKI_CRL_HISTORY_H
#define PKI_CRL_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pki/der.h"

enum { ISSUER_ID = 32, CRL_HISTORY_ERROR = 512, CRL_HISTORY_REVOKED = 16384 };

struct crl_history;

struct crl_history *crl_history_new(void);
struct crl_history *crl_history_hold(struct crl_history *);
void crl_history_release(struct crl_history *);

/* ---- CRL numbers ---- */

struct crl_mark {
	uint8_t issuer[ISSUER_ID];
	struct serial number; /* no bytes: the CRL had none */
	int64_t this_update;
};

/* By number where both have one and they differ, else by thisUpdate. */
bool crl_mark_is_older(const struct crl_mark *, const struct crl_mark *);

/* Whether a CRL with this mark is older than the one seen of its issuer, which goes to *seen. */
bool crl_history_would_roll_back(
    struct crl_history *, const struct crl_mark *, struct crl_mark *seen);
/* False when memory is short. */
bool crl_history_note_mark(struct crl_history *, const struct crl_mark *);

/* Reads state_dir/crl-numbers if it is there, and saves what is new to it; other
 * processes and threads may do so at the same time.  False with a sentence. */
bool crl_history_read(struct crl_history *, const char *state_dir, char error[CRL_HISTORY_ERROR]);
bool crl_history_save(struct crl_history *, const char *state_dir, char error[CRL_HISTORY_ERROR]);
/* The same, but only if there is anything that was not saved: a CRL may have waited for its issuer, or the
 * disk was full.  False once, until it succeeds: it is tried again with each call. */
bool crl_history_save_news(
    struct crl_history *, const char *state_dir, char error[CRL_HISTORY_ERROR]);

/* The latest thisUpdate of all CRLs that were in force; a clock that is behind it is wrong.  0: there
 * was none. */
int64_t crl_history_latest(struct crl_history *);

/* ---- revoked serials ---- */

struct revoked {
	uint8_t issuer[ISSUER_ID];
	struct serial serial;
	uint8_t reason;
	uint32_t revoked_at;
	int64_t not_after;
};

void crl_history_note_revoked(struct crl_history *, const struct revoked *, int64_t now);
bool crl_history_has_revoked(struct crl_history *, const uint8_t issuer[ISSUER_ID],
    const struct serial *, struct revoked *out);

/* Reads state_dir/crl-revoked if it is there.  False with a sentence if it is damaged or cannot be
 * read; what could be read of it has been taken all the same. */
bool crl_history_read_revoked(
    struct crl_history *, const char *state_dir, char error[CRL_HISTORY_ERROR]);
/* Saves what was found since the last time, merged with what is there; nothing to do is cheap.  A
 * damaged file is kept as crl-revoked.damaged.  False with a sentence, once until it succeeds: what was not
 * saved is tried again with each call.  It writes to a disk, so no loop that serves peers may call it. */
bool crl_history_save_revoked(
    struct crl_history *, const char *state_dir, char error[CRL_HISTORY_ERROR]);

#endif
