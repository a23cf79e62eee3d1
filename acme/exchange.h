/*
 * One request to an ACME server after the other, each with its nonce and signature (RFC 8555, 6.2
 * to 6.6). A nonce comes with each answer; where none is left one is fetched before, and where the
 * server finds one bad the request is signed and sent again, with the nonce of that answer.
 *
 *	resting --> fetching-nonce --> asking --> resting
 *	       `-------------------------^  |
 *	               ^-- bad nonce -------'
 *
 * Belongs to the thread of its transport.  At most one request at a time; the nonces kept are four.
 */
#ifndef ACME_EXCHANGE_H
#define ACME_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "acme/document.h"

struct account_key;
struct acme_exchange;
struct acme_transport;

/* Both are borrowed until the answer.  account NULL: the key itself stands for it. */
struct acme_signer {
	struct account_key *key;
	const char *account;
};

/* Borrowed until the call returns. */
struct acme_answer {
	const char *error; /* a sentence: nobody has answered, and nothing below counts */
	unsigned status;
	struct acme_problem problem; /* of a status of 400 and more, if the server said it */
	const char *location;        /* "" if there was none, or no address */
	uint64_t retry_after_s;      /* 0: nothing was said */
	int64_t date_s;              /* the server's clock; 0: nothing was said */
	const void *body;
	size_t bytes;
};

/* NULL when memory is short. */
struct acme_exchange *acme_exchange_new(const struct acme_transport *);
/* Cancels what is under way.  NULL is fine. */
void acme_exchange_free(struct acme_exchange *);

/* on_answer is called once, never inside these calls, unless it is cancelled.  False when memory is
 * short: it is not called then. */
bool acme_exchange_get(struct acme_exchange *, const char *url,
    void (*on_answer)(void *arg, const struct acme_answer *), void *arg);
/* payload "" only reads.  The texts are copied. */
bool acme_exchange_post(struct acme_exchange *, const struct acme_signer *,
    const char *new_nonce_url, const char *url, const char *payload,
    void (*on_answer)(void *arg, const struct acme_answer *), void *arg);
void acme_exchange_cancel(struct acme_exchange *);

#endif
