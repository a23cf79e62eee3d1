/*
 * The judgement of one complete chain, and the sentences that explain it.
 */
#ifndef PKI_JUDGE_H
#define PKI_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "pki/grant.h"
#include "pki/path.h"
#include "pki/verify.h"

enum { TIME_SKEW_S = 300 };	/* a clock may be that late against a notBefore */

struct trial {
	struct trust *trust;
	enum role role;
	const char *host;
	int64_t now;
	const struct path *path;
	bool names_doubted;		/* by GnuTLS */
	struct grant grant;		/* effective, once judged */
	struct verdict verdict;
};

/* False with trial->verdict filled in. */
bool judge_chain(struct trial *);

/* "certificate 1 of 3 (CN=..., issued by ..., SHA-256 ...): " and what format says. */
bool judge_refuse(struct trial *, size_t position, enum verify_code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* The alert and the code; returns false. */
bool verdict_set(struct verdict *, enum verify_code, int position);

/* What a standing other than STANDS means; the sentence tells of `issuer`, in `label`. */
enum verify_code judge_standing(enum standing, const struct standing_facts *, const char *issuer,
	const char *label, char *what, size_t what_bytes);

#endif
