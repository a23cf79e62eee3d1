/*
 * Who gets what: the judgement of one who wants a certificate by the network, without any network.
 * It opens the authority with its keys, answers one question after the other, and never takes the word
 * of who asks for more than these: the peer of ENROL_AGAIN has proved to hold the key of the
 * certificate that it shows.
 *
 * By an invitation (ENROL_FIRST):
 *   - The secret is right, and the invitation was not withdrawn and is not over.
 *   - Used already: the same key gets the same certificate again until the invitation is over, so that a lost
 *     answer locks nobody out; another key is refused and audited as possible theft.
 *   - It is never for what is reserved (invitation.h), never in the place of what came since.
 * By a certificate (ENROL_AGAIN):
 *   - It is in the inventory, octet by octet, no CA's, valid now, neither revoked nor held, and so are
 *     the CAs above it.  Its purpose is not judged.
 *   - It was followed already: the same key gets the same successor again; another key is refused
 *     and audited as possible theft.
 *   - The new one has its names and grant, and the lifetime that it was meant to have.  Nothing is
 *     revoked.
 * By both: the request asks for nothing else (enrol_request.h), and its key was never certified for
 * another identity nor revoked.  Certificate and invitation are settled in one transaction.
 *
 * All hosts share the signatures of an hour: signatures_per_hour, as the inventory has them, so that a new
 * process begins where the last one was.  Nobody leaves; the newcomer is told when to come back, and who gets
 * the same certificate again takes none.  One name is renewed as often as a hundredth of that, or ten
 * times, so that no host that has gone wrong keeps all others from renewing.  The certificate of the asking
 * process itself has a bound of its own, ten an hour.
 */
#ifndef PKI_TOOL_ENROLMENT_H
#define PKI_TOOL_ENROLMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "keys/key_store.h"
#include "pki/tool/enrol_message.h"
#include "pki/tool/options.h"

#define ENROL_OWN_KEY "own"

enum { ENROL_SIGNATURES = 1000 /* an hour, by default */ };

struct enrolment_options {
	const char *url;             /* where hosts reach us; kept for `valise-pki invite` */
	const char *name;            /* NAME of the own certificate, a server's */
	struct texts hosts;          /* its names */
	int64_t signatures_per_hour; /* 0: ENROL_SIGNATURES */
	struct key_store *keys; /* closed; gets the key of the own certificate, as ENROL_OWN_KEY */
	bool has_sandbox;       /* of the process that signs: it gives up all but the authority */
};

struct enrolment;

/* Opens the authority and the keys of the four intermediates; everything else only when it is needed.
 * The options are borrowed until enrolment_close(), which is to be called in any case. */
int enrolment_open(struct enrolment **, const struct common *, const struct enrolment_options *);
void enrolment_close(struct enrolment *);
/* Whether a CA's key is on a token, or its inventory cannot be asked. */
bool enrolment_has_token(struct enrolment *);

/* The answer borrows from the enrolment until the next question. */
void enrolment_answer(
    struct enrolment *, const struct enrol_question *, struct enrol_answer *answer);

#endif
