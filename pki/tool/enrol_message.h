/*
 * What the two processes of `valise-pki serve` say to each other: the one that speaks HTTP asks, the
 * one that alone opens keys and inventory (enrol_signer.h) answers.  One message is one packet of a
 * SOCK_SEQPACKET pair, and nobody asks again before the answer has come.
 *
 * All four functions are pure.  What is decoded borrows from the packet.
 */
#ifndef PKI_TOOL_ENROL_MESSAGE_H
#define PKI_TOOL_ENROL_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "pki/der.h"

enum {
	ENROL_MESSAGE_BYTES = 128 * 1024, /* of a packet */
	ENROL_CSR_BYTES = 16 * 1024,      /* a key of 16384 bits needs 5 KiB */
	ENROL_CERTIFICATE_BYTES = 32 * 1024,
	ENROL_CHAIN = 8,
	ENROL_WORD = 65, /* the user's name, the password */
	ENROL_FROM = 64,
	ENROL_NAME = 72, /* as CA_NAME */
	ENROL_KIND = 16,
	ENROL_SENTENCE = 512,
};

enum enrol_kind {
	ENROL_FIRST = 1, /* simpleenroll: by an invitation */
	ENROL_AGAIN,     /* simplereenroll: by the certificate that the peer has proved to hold */
	ENROL_OWN,       /* the certificate of the asking process itself; its key stays behind */
	ENROL_UPKEEP, /* re-issue the CRLs that have less than half of their life; ask every minute */
	ENROL_KINDS
};

struct enrol_question {
	enum enrol_kind kind;
	struct der csr;                              /* FIRST, AGAIN */
	struct der certificate;                      /* AGAIN: the peer's leaf */
	char user[ENROL_WORD], password[ENROL_WORD]; /* FIRST: handle and secret */
	char from[ENROL_FROM]; /* FIRST, AGAIN: the peer's "ADDRESS:PORT", for the audit lines */
};

enum enrol_code {
	ENROL_ISSUED,       /* UPKEEP: done */
	ENROL_MALFORMED,    /* the request cannot be used at all (400) */
	ENROL_UNAUTHORISED, /* no such invitation, or it has ended; of strangers (401) */
	ENROL_REFUSED,      /* who it is is known, and it may not (403) */
	ENROL_LATER,        /* the limit on signatures, or the inventory is busy (503) */
	ENROL_BROKEN,       /* the authority cannot sign; its log says why (500) */
	ENROL_CODES
};

/* "issued", "refused" ... */
const char *enrol_code_word(enum enrol_code);

struct enrol_answer {
	enum enrol_code code;
	uint32_t retry_after_s; /* LATER */
	char sentence[ENROL_SENTENCE];
	/* Who it is for, once that is proven. */
	char name[ENROL_NAME], kind[ENROL_KIND];
	int64_t not_after;
	/* ISSUED: the leaf, then each CA above it but the root. */
	size_t count;
	struct der certificates[ENROL_CHAIN];
};

/* False if it does not fit. */
bool enrol_question_encode(const struct enrol_question *, struct writer *out);
bool enrol_answer_encode(const struct enrol_answer *, struct writer *out);
/* False if a member is not there, not in its range, or something is left over. */
bool enrol_question_decode(struct cursor in, struct enrol_question *out);
bool enrol_answer_decode(struct cursor in, struct enrol_answer *out);

#endif
