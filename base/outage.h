/*
 * When people are told of something that fails and goes on failing.  One line at the
 * beginning is lost by the next morning, and one for each attempt hides all others; so
 * an outage is told
 *
 *	when it begins, and when it first fails in another way, each kind once,
 *	again 1, 5 and 15 minutes after its beginning, and then every hour,
 *	when it is over, with how long it has lasted.
 *
 *	{0}
 *	if (outage_fail(&outage, kind, now_ms)) log_event(LOG_WARNING, ..., log_outage(&outage, now_ms));
 *	if (outage_end(&outage, &past)) log_event(LOG_WARNING, ..., log_outage(&past, now_ms));
 *
 * The end is told at the level of the beginning: who reads warnings alone must not
 * believe that it still lasts.
 *
 * Nothing here has a timer.  It is told again by the first failure after its time, so
 * what nobody tries is told by nobody.
 *
 * A plain value of one thread, or under its owner's lock.
 */
#ifndef BASE_OUTAGE_H
#define BASE_OUTAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"

enum {
	OUTAGE_KINDS = 12, /* more are told with the others only */
	/* What comes and goes within this time may be taken for one outage. */
	OUTAGE_CALM_MS = 10000,
};

enum outage_pace {
	OUTAGE_HOURLY,
	OUTAGE_DAILY, /* of what may well fail for weeks: again once a day, and not before */
};

struct outage {
	enum outage_pace pace;
	uint64_t failures; /* since it began; 0: it works */
	uint64_t began_ms, failed_ms;
	unsigned told_again; /* so many times are over at which it is told */
	const char *kinds[OUTAGE_KINDS];
	unsigned kind_count;
};

/* It has failed, in a way that `kind` (a constant) names.  True: this is to be told. */
bool outage_fail(struct outage *, const char *kind, uint64_t now_ms);
/* It works.  True: it did not before, and that was told; `past` (may be NULL) is what is over then, and
 * without a failure otherwise. */
bool outage_end(struct outage *, struct outage *past);
/* Whatever fails next is told, because something has changed that people wait for. */
void outage_tell_anew(struct outage *);
/* Has it failed, but not within OUTAGE_CALM_MS?  For what others make succeed and fail as they like. */
bool outage_is_calm(const struct outage *, uint64_t now_ms);

/* Two fields, `failures` and `lasted_s`, which are left out as long as it has failed no more than once. */
#define log_outage(outage, now_ms) \
	outage_field_failures(outage), outage_field_lasted(outage, now_ms)
struct log_field outage_field_failures(const struct outage *);
struct log_field outage_field_lasted(const struct outage *, uint64_t now_ms);

/* After how long it is told again, when it was told so many times again before. */
uint64_t outage_again_ms(enum outage_pace, unsigned told_again);

#endif
