/*
 * What outlives one set of CRLs: the highest CRL number seen of each issuer, so
 * that nobody can go back to an older CRL, and the serials once found revoked, which
 * stay so until their notAfter though a CRL may stop listing them.  Counted, locked,
 * handed from each trust to the next.
 */
#ifndef PKI_MEMORY_H
#define PKI_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pki/der.h"

enum { ISSUER_ID = 32, MEMORY_ERROR = 512 };

struct memory;

struct memory *memory_new(void);
struct memory *memory_hold(struct memory *);
void memory_release(struct memory *);

/* ---- CRL numbers ---- */

struct crl_mark {
	uint8_t issuer[ISSUER_ID];
	struct serial number;	/* no bytes: the CRL had none */
	int64_t this_update;
};

/* By number where both have one and they differ, else by thisUpdate. */
bool crl_mark_is_older(const struct crl_mark *, const struct crl_mark *);

/* Whether a CRL with this mark would go back behind what was seen; *seen is that. */
bool memory_would_roll_back(struct memory *, const struct crl_mark *, struct crl_mark *seen);
/* False when memory is short. */
bool memory_note_mark(struct memory *, const struct crl_mark *);

/* Reads state_dir/crl-numbers if it is there; saves what is new there, safely
 * beside other processes and threads.  False with a sentence. */
bool memory_read(struct memory *, const char *state_dir, char error[MEMORY_ERROR]);
bool memory_save(struct memory *, const char *state_dir, char error[MEMORY_ERROR]);

/* ---- revoked serials ---- */

struct revoked {
	uint8_t issuer[ISSUER_ID];
	struct serial serial;
	uint8_t reason;
	uint32_t revoked_at;
	int64_t not_after;
};

void memory_note_revoked(struct memory *, const struct revoked *, int64_t now);
bool memory_has_revoked(struct memory *, const uint8_t issuer[ISSUER_ID], const struct serial *,
	struct revoked *out);

#endif
