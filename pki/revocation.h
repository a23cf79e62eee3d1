/*
 * The CRLs of one trust and the answer that they give about one (issuer, serial).
 * Filled by trust_load(), asked by any thread afterwards.
 */
#ifndef PKI_REVOCATION_H
#define PKI_REVOCATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pki/crl_history.h"
#include "pki/der.h"
#include "pki/trust_sources.h"
#include "pki/verdict.h"

struct crl_listing;
struct x509;

enum { CLOCK_SKEW_S = 300 }; /* how far in the future a thisUpdate may be */

/* What is kept of a CA to recognise it and to check its CRLs; borrows. */
struct issuer {
	uint8_t id[ISSUER_ID]; /* SHA-256 over name and key */
	struct der name, key_id, spki;
	bool may_sign_crls;
};

struct issuer issuer_of(const struct x509 *);

struct revocation;

/* Holds the memory.  `former` (or NULL) is the set in force, which stands in where a file is refused;
 * it is borrowed until revocation_seal().  NULL when the machine's memory is short. */
struct revocation *revocation_new(
    const struct trust_sources *, struct crl_history *, struct revocation *former);
void revocation_free(struct revocation *);
struct crl_history *revocation_history(const struct revocation *);

enum { REVOCATION_ERROR = 512 };

/* Judges one CRL from borrowed bytes by the CAs of the trust and takes it in; one whose
 * issuer is not among them waits.  False with a sentence about `file`. */
bool revocation_add(struct revocation *, struct der crl, const char *file, const struct issuer *cas,
    size_t ca_count, int64_t now, char error[REVOCATION_ERROR]);
/* The file is refused, for that reason: what was added after the first `count` is let go of, and what
 * the set in force has of the file is taken instead, waiting CRLs after a new judgement. */
size_t revocation_count(const struct revocation *);
bool revocation_keep_file(struct revocation *, const char *file, size_t count, const char *sentence,
    const struct issuer *cas, size_t ca_count, int64_t now);
/* Lets go of what was added after the first `count`. */
void revocation_forget(struct revocation *, size_t count);
/* How often the set in force stands in, and for what first: a sentence, or NULL. */
size_t revocation_refusals(const struct revocation *, const char **sentence);
/* The last failure to add one was that it is from the future, so it may be the clock that is wrong. */
bool revocation_doubts_clock(const struct revocation *);
/* Whether a CRL that another file of the daemon has is of an issuer of this set, and newer than what
 * the set has of him.  If so, offer it: it is taken in if revocation_add() would, else let go. */
bool revocation_wants(const struct revocation *, const struct crl_listing *,
    const struct issuer *cas, size_t ca_count, int64_t now);
void revocation_offer(struct revocation *, struct der crl, const char *file,
    const struct issuer *cas, size_t ca_count, int64_t now);
/* After the last: drops older CRLs of one issuer, and refuses to go back behind the memory, unless the
 * set in force has the CRL to go on with. */
bool revocation_seal(struct revocation *, char error[REVOCATION_ERROR]);
/* The new set is in force: what it says of CRL numbers goes to the history.  False when memory is
 * short. */
bool revocation_commit(struct revocation *);

enum revocation_status { UNREVOKED, REVOKED, NO_CRL, CRL_TOO_OLD, CRL_REFUSED };

struct revocation_facts {
	uint8_t reason; /* REVOKED: enum crl_reason */
	uint32_t revoked_at;
	int64_t next_update; /* CRL_TOO_OLD */
	/* Borrowed from the set.  CRL_REFUSED: why, after "the CRL ", and its file.  NO_CRL: the file
	 * of one that has the issuer's name and another key identifier, or NULL. */
	const char *why, *file;
};

/* O(log n). */
enum revocation_status revocation_ask(struct revocation *, const struct issuer *,
    const struct serial *, int64_t not_after, int64_t now, struct revocation_facts *);

/* What a status other than UNREVOKED means; `what` tells of `issuer`, in `label`. */
enum verify_code revocation_verdict(enum revocation_status, const struct revocation_facts *,
    const char *issuer, const char *label, char *what, size_t what_bytes);

/* Those of a sealed set whose issuer has not come yet, in turn. */
struct crl;
const struct crl *revocation_waiting(const struct revocation *, size_t index);

/* For warnings: the sealed CRLs in turn, those that wait behind the others, and whether an issuer has one. */
const struct crl *revocation_crl(const struct revocation *, size_t index, const char **file);
bool revocation_has(const struct revocation *, const struct issuer *);
/* The file of a CRL by a CA of this name with another key identifier, or NULL. */
const char *revocation_namesake(const struct revocation *, const struct issuer *);

#endif
