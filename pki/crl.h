/*
 * A reader of certificate revocation lists (RFC 5280, section 5).  GnuTLS is
 * never given a CRL: it believes expired, forged and delta ones, and needs
 * minutes for a large one.  This reader walks the DER twice, keeps 28 bytes an
 * entry, and looks up in O(log n).
 *
 * crl_parse() accepts only what can be judged by it alone: complete (no delta, no
 * restricting issuingDistributionPoint), no critical extension unknown to it,
 * with a nextUpdate, signed with an algorithm that is accepted.  Then, in this order:
 * crl_is_signed_by() for the issuer's key, crl_index() after which the DER is not needed any
 * more, crl_find().
 *
 * A struct crl is not locked: share it between threads only after crl_index().
 */
#ifndef PKI_CRL_H
#define PKI_CRL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pki/der.h"

/* CRLReason of RFC 5280, 5.3.1; 7 is not used. */
enum crl_reason {
	CRL_UNSPECIFIED = 0,
	CRL_KEY_COMPROMISE = 1,
	CRL_CA_COMPROMISE = 2,
	CRL_AFFILIATION_CHANGED = 3,
	CRL_SUPERSEDED = 4,
	CRL_CESSATION = 5,
	CRL_HOLD = 6,
	CRL_REMOVE = 8,
	CRL_PRIVILEGE_WITHDRAWN = 9,
	CRL_AA_COMPROMISE = 10,
	CRL_REASONS
};

/* "keyCompromise" and so on, as RFC 5280 spells them; "unspecified" for any other number. */
const char *crl_reason_word(unsigned reason);

struct crl_entry {
	struct serial serial;
	uint8_t reason;      /* enum crl_reason */
	uint32_t revoked_at; /* seconds since 1970 */
};

enum { CRL_NUMBER_BYTES = 21 };

struct crl;

/* Parses one CRL in DER, which must stay where it is until crl_index().  NULL with
 * the reason in *why (a constant that reads after "the CRL "). */
struct crl *crl_parse(const uint8_t *der, size_t bytes, const char **why);
/* The issuer that a CRL names, also of one that crl_parse() refuses; empty if it cannot be read. */
struct der crl_issuer_in(struct der whole);
/* Copies the DER, so that the caller's may go while the issuer is not known yet. */
bool crl_keep(struct crl *);
/* After crl_keep() and until crl_index(): that copy. */
struct der crl_kept(const struct crl *);
/* One more owner, each of whom calls crl_free(). */
struct crl *crl_hold(struct crl *);
void crl_free(struct crl *);

/* Whether the key in this SubjectPublicKeyInfo signed it.  Needs the DER, so before crl_index(). */
bool crl_is_signed_by(const struct crl *, struct der spki);

/* Reads and sorts the entries, and lets go of the DER.  False when memory is short
 * or an entry is bad; *why as above. */
bool crl_index(struct crl *, const char **why);
bool crl_is_indexed(const struct crl *);

/* What it says; all of it stays valid until crl_free(). */
struct der crl_issuer(const struct crl *);        /* Name, the whole SEQUENCE */
struct der crl_authority_key(const struct crl *); /* keyIdentifier; empty if it has none */
struct der crl_number(const struct crl *);        /* shortest form; empty if it has none */
int64_t crl_this_update(const struct crl *);
int64_t crl_next_update(const struct crl *);
size_t crl_count(const struct crl *);

/* After crl_index(). NULL if the serial is not listed; the number of comparisons
 * made goes to *comparisons unless that is NULL. */
const struct crl_entry *crl_find(const struct crl *, const struct serial *, unsigned *comparisons);
/* The entries in the order of serial_compare(). */
const struct crl_entry *crl_entry(const struct crl *, size_t index);

#endif
