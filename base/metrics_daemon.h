/*
 * The metrics that all daemons have, by the same names.
 */
#ifndef BASE_METRICS_DAEMON_H
#define BASE_METRICS_DAEMON_H

#include <stddef.h>
#include "base/ending.h"
#include "base/log.h"
#include "base/metrics_text.h"
#include "base/shares.h"
#include "base/word_counts.h"

/* How much of a limit is used. */
struct metrics_limit {
	const char *name; /* a stable word */
	struct shares_load load;
};

/* What a reload has left. */
struct metrics_reload {
	bool is_good;  /* the last one was taken up */
	size_t faults; /* parts that are older than the files say */
	int64_t at_s;  /* when a configuration came into force last */
};

/* Version, start and processor time. */
void metrics_process(struct metrics_text *, const char *program, int64_t since_s);
void metrics_log(struct metrics_text *, const struct log_lost *);
void metrics_reload(struct metrics_text *, const struct metrics_reload *);
/* What is left of each, negative where it has ended; told apart by file and name only if `in_detail`, else
 * the least of each key. */
void metrics_endings(
    struct metrics_text *, const struct ending *, size_t count, int64_t now_s, bool in_detail);
void metrics_limits(struct metrics_text *, const struct metrics_limit *, size_t count);
/* A counter's samples, one for each word. */
void metrics_words(struct metrics_text *, const char *label, const struct word_sums *);

#endif
