/*
 * Internal to enrolment: the state, for enrolment.c (life, keys, answers), enrol_first.c, enrol_again.c
 * and enrol_own.c (one kind of question each).
 *
 * An int that is not 0 is a code of message.h, whose sentence is in `said`.
 */
#ifndef PKI_TOOL_ENROLMENT_PRIVATE_H
#define PKI_TOOL_ENROLMENT_PRIVATE_H

#include "pki/join_line.h"
#include "pki/tool/authority.h"
#include "pki/tool/enrol_request.h"
#include "pki/tool/enrolment.h"
#include "pki/tool/leaf.h"
#include "pki/tool/signer.h"

enum {
	ENROL_KEYS = 32,         /* of CAs, kept open */
	ENROL_KEY_RETRY_S = 300, /* after one could not be opened */
	OWN_MOST = 10,           /* certificates of the asking process, in an hour */
};

struct enrol_key {
	int64_t ca;           /* 0: empty */
	gnutls_privkey_t key; /* NULL: it could not be opened at `tried_at` */
	int64_t tried_at;
	int64_t told_at; /* that its CRL cannot be issued for want of the key */
};

struct enrolment {
	struct authority authority;
	const struct enrolment_options *options;
	struct enrol_key keys[ENROL_KEYS];
	size_t next_key; /* leaves when all places are taken */
	char said[2048];
	uint8_t octets[ENROL_MESSAGE_BYTES]; /* what the answer borrows */
	size_t octets_used;
};

/* One question at work: what is needed by all that judge it. */
struct enrolling {
	struct enrolment *enrolment;
	const struct enrol_question *question;
	struct enrol_answer *answer;
	struct enrol_request request;
	struct signer signer; /* its key is the enrolment's */
	struct leaf leaf;
	struct record record;     /* what is issued */
	int64_t party;            /* not 0: who is proven to ask, for the log */
	char handle[JOIN_HANDLE]; /* of the invitation; or */
	struct record former;     /* the certificate that is to be renewed */
};

/* The answer and, where the party is proven, its audit line; false. */
bool enrolling_refuse(struct enrolling *, enum enrol_code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for one who has what another had before. */
bool enrolling_suspect(struct enrolling *, const struct record *given);
/* True if code is 0; else answers by what was said.  `otherwise` is the answer where the fault is the
 * asking side's. */
bool enrolling_passes(struct enrolling *, int code, enum enrol_code otherwise);

/* Reads the request; the key goes to the leaf. */
bool enrolling_read_request(struct enrolling *);
/* Whether its key was certified for another identity than (kind, name, issuer), or revoked. */
bool enrolling_judge_key(struct enrolling *, const char *kind, const char *name, int64_t issuer);
/* Whether the limit allows one more signature. */
bool enrolling_judge_limit(struct enrolling *);
/* The CA with its key and current certificate, for the signer; it and those above it must be valid and
 * unrevoked. */
bool enrolling_open_signer(struct enrolling *, int64_t ca);
/* Inside a change: signs, and enters the record as enrolled. */
int enrolling_enter(struct enrolling *);
/* Ends the change; false if it has to be answered that it did not come to be. */
bool enrolling_commit(struct enrolling *);
/* Answers with this certificate of the inventory and tells the log. */
void enrolling_give(struct enrolling *, const struct record *, bool again);

/* One kind of question each. */
void enrol_first(struct enrolling *);
void enrol_again(struct enrolling *);
void enrol_own(struct enrolling *);
void enrol_upkeep(struct enrolling *);

/* The open key of a CA, borrowed; EX_NOINPUT for a while after it could not be opened. */
int enrolment_key(struct enrolment *, const struct ca *, gnutls_privkey_t *out);
/* For a root: its key does not stay open. */
void enrolment_forget_key(struct enrolment *, const struct ca *);
/* Once a day for each CA: its key is missing. */
bool enrolment_may_tell(struct enrolment *, const struct ca *);

#endif
