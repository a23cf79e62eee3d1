/*
 * The judgement of one complete chain, a candidate, and the sentences that explain it.
 */
#ifndef PKI_JUDGE_H
#define PKI_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "pki/grant.h"
#include "pki/path.h"
#include "pki/verdict.h"

struct trust;
struct x509;

enum { TIME_SKEW_S = 300 }; /* a clock may be that late against a notBefore */

struct candidate {
	struct trust *trust;
	enum role role;
	const char *host;
	int64_t now;
	const struct path *path;
	bool names_doubted; /* GnuTLS finds a name beyond the constraints of a CA */
	struct grant grant; /* effective, once judged */
	size_t passed;      /* judgements that it has stood */
	struct verdict verdict;
};

/* False with candidate->verdict filled in. */
bool judge_chain(struct candidate *);

/* The purpose, in words, that this role needs and that this CA may not issue for; NULL: it may. */
const char *judge_ca_lacks(const struct x509 *ca, enum role);

/* For verdict.party: a CA, whose id this is (serial is NULL), or a certificate that it has issued. */
uint64_t judge_party(const uint8_t ca[ISSUER_ID], const struct serial *);

/* "certificate 1 of 3 (CN=..., issued by ..., SHA-256 ...): " and what format says. */
bool judge_refuse(struct candidate *, size_t position, enum verify_code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
