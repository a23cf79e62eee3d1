/*
 * The schedule of health checks: each upstream of the groups that are watched is asked again and again
 * whether it is there.  How one is asked is the daemon's; this says when, and what follows from the answers.
 * Everything happens in one loop.
 *
 *	unchecked --the first answer--> up or down
 *	up --`fall` failures in a row--> down --`rise` successes in a row--> up
 *
 * The first check comes at once; each further one an interval after the last has ended, give or take
 * an eighth, so that checks that began together do not stay so.  What is down is told as outage.h says.
 *
 * Shared by:     all upstreams that are checked.
 * Bound:         HEALTH_UNDER_WAY checks at a time.
 * Who leaves:    nobody; what is due waits for its turn.
 */
#ifndef BASE_HEALTH_H
#define BASE_HEALTH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/loop.h"
#include "base/upstream_group.h"

enum { HEALTH_UNDER_WAY = 32 };

struct health;
struct health_turn;

/* A group, and whatever its checks need to know; that is borrowed until the next health_watch(). */
struct health_subject {
	struct upstream_group *group;
	void *about;
};

struct health_ops {
	/* Begins a check of this upstream, which ends with one health_answer(), never inside this call,
	 * unless `cancel` comes before.  NULL when memory is short. */
	void *(*begin)(
	    void *arg, struct health_turn *, const struct health_subject *, unsigned index);
	void (*cancel)(void *check);
	/* Something has gone up or down; may be NULL. */
	void (*on_change)(void *arg);
};

/* NULL when memory is short.  `ops` and arg must outlive it. */
struct health *health_new(struct loop *, const struct health_ops *, void *arg);
void health_free(struct health *); /* NULL is fine */

/* From now on these are checked, each group once, and no others; a group that is watched already goes on as
 * it is.  Those that want no checks are left out.  False when memory is short: some are not checked until
 * this is called again. */
bool health_watch(struct health *, const struct health_subject *, size_t count);
/* NULL: it is there.  The check is the daemon's again, to be freed. */
void health_answer(struct health_turn *, const char *error);
/* The same where nothing was learned, because this host was short of something: what is known stays, and the
 * next check comes in its time. */
void health_skip(struct health_turn *);

#endif
