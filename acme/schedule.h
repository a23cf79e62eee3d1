/*
 * When a certificate is ordered, renewed, or tried again: a plain value for each certificate,
 * judged by the wall clock.  No timer sleeps to a date, so that a clock that is set, or a host that
 * slept, is obeyed within seconds.
 *
 * A certificate is renewed when a third of its life is left, each at a moment of its own so that
 * those that were issued together do not come back together; where the CA suggests a window (RFC
 * 9773, ARI), at a random moment within it, but no later than with a tenth of the life left.  What
 * has failed is tried again with a back-off that depends on what it was, and not before the CA
 * wants it, unless that is past half of what is left of the certificate.  What was issued rests for
 * five minutes, or a tenth of its life if that is less, so that a CA that always suggests yesterday
 * is not asked without end.
 */
#ifndef ACME_SCHEDULE_H
#define ACME_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "acme/client.h"

enum { SCHEDULE_WAIT_MOST_S = 7 * 86400, SCHEDULE_WINDOW_S = 6 * 3600, SCHEDULE_REST_S = 300 };

/* Seconds since 1970; {0}: there is no certificate, and it is due. */
struct schedule {
	int64_t not_before_s, not_after_s;
	int64_t renew_s;          /* drawn for this certificate, or for the CA's window */
	int64_t asked_s;          /* when the CA was asked for the window */
	int64_t again_s;          /* it wants to be asked again so many seconds after */
	int64_t issued_s;         /* by our clock; 0: before this process began */
	unsigned failures;        /* in a row */
	int64_t failed_s, wait_s; /* the last one, and how long nothing is tried after it */
};

/* This certificate is in force now, or {0}: none is. */
void schedule_take(struct schedule *, int64_t not_before_s, int64_t not_after_s);
/* It is to be exchanged as soon as may be, whatever is left of its life, and without a rest. */
void schedule_hurry(struct schedule *);
/* One was issued just now, and failures are forgotten; schedule_take() says which. */
void schedule_take_issued(struct schedule *, int64_t now_s);
/* What the CA suggests; NULL: nothing. */
void schedule_take_window(
    struct schedule *, const struct acme_window *, uint64_t retry_after_s, int64_t now_s);
/* retry_after_s 0: the CA said nothing. */
void schedule_take_failure(
    struct schedule *, enum acme_failure, uint64_t retry_after_s, int64_t now_s);

/* Whether nothing is tried for now, because it has just failed. */
bool schedule_waits(const struct schedule *, int64_t now_s);
/* A certificate is to be ordered. */
bool schedule_is_due(const struct schedule *, int64_t now_s);
/* The CA is to be asked when to renew. */
bool schedule_wants_window(const struct schedule *, int64_t now_s);
/* When it will be due, for people; never before now. */
int64_t schedule_due_s(const struct schedule *, int64_t now_s);

#endif
