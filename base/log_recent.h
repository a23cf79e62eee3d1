/*
 * The last events that people should know of, for the page and for `status`: audit events of any level, and
 * all others from warning on.  Each is kept as its log line was written, whether or not standard error took
 * it; what the log's level or its limits keep back is not here either.
 *
 * Shared by:     all threads and all events of the process, under one lock.
 * Bound:         LOG_RECENT_MOST events, of which texts are cut to fit.
 * Who leaves:    the oldest one of the event word that has most of them.  So what a stranger can repeat
 *                pushes out what is like it, and never the one line that says why.
 */
#ifndef BASE_LOG_RECENT_H
#define BASE_LOG_RECENT_H

#include <stddef.h>
#include <stdint.h>
#include "base/log.h"

enum { LOG_RECENT_MOST = 64 };

/* All texts are UTF-8 in which everything can be seen. */
struct log_recent {
	uint64_t number; /* 0: this place is free */
	int64_t at_s;    /* since 1970 */
	enum log_level level;
	uint32_t kind; /* of its event word; others may share it */
	char event[48];
	char text[400];   /* the sentence; "": none */
	char fields[480]; /* as in a line of text: "key=value ..." */
};

/* Changes with each event that is kept.  Any thread; nearly free. */
uint64_t log_recent_version(void);
/* A copy of all, the newest first; how many there are.  Any thread. */
size_t log_recent_copy(struct log_recent out[LOG_RECENT_MOST]);

#endif
