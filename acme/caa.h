/*
 * What the DNS says of who may have certificates issued for a name (CAA, RFC 8659), and through
 * which account (accounturi, RFC 8657).  Whoever owns the public address of a name, and a relay
 * does, can have a certificate issued for it, unless every CA that may issue is told to do so for
 * one account only.
 *
 * Pure functions of bytes; the look-up is acme/caa_lookup.h.
 */
#ifndef ACME_CAA_H
#define ACME_CAA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CAA_RECORDS = 32, CAA_VALUE = 512, CAA_TAG = 16, CAA_SENTENCE = 1536 };

struct caa_record {
	bool is_critical;
	char tag[CAA_TAG]; /* lower case */
	char value[CAA_VALUE];
};

struct caa_set {
	size_t count;
	struct caa_record records[CAA_RECORDS];
};

/* The records of an answer to a question for CAA; none is fine.  False: it is not a whole answer of
 * the DNS, is cut off, or has more records, or longer ones. */
bool caa_decode(struct caa_set *, const uint8_t *message, size_t bytes);

enum caa_verdict {
	CAA_UNKNOWN, /* the DNS has not answered, or nobody knows yet what this account is called */
	CAA_OPEN,    /* whoever answers for the name at some CA gets a certificate */
	CAA_PINNED,  /* only through accounts, and this one is among them */
	CAA_FOREIGN, /* only through others: this one will be refused */
	CAA_VERDICTS
};

extern const char *const caa_words[CAA_VERDICTS];

/* identity: what the CA is called in CAA records ("": nobody knows, and any will do); account: the
 * URL, or "" before it is registered. */
enum caa_verdict caa_judge(const struct caa_set *, const char *identity, const char *account);

/* The record that pins the name to this account; returns out. */
const char *caa_record_text(
    const char *name, const char *identity, const char *account, char out[CAA_SENTENCE]);

#endif
