/*
 * Internal to the log: a line while it is built (log.c), the way that it takes (log_writer.c), and
 * how many there may be (log_limit.c).
 */
#ifndef BASE_LOG_PRIVATE_H
#define BASE_LOG_PRIVATE_H

#include <stddef.h>
#include "base/log.h"

enum { LOG_LINE_BYTES = 16384 };

/* What does not fit is left out field by field, so that a line is always whole. */
struct log_line {
	char text[LOG_LINE_BYTES];
	size_t bytes;
	bool full;
};

/* Begins and ends a line in the format that is set, whatever the level. */
void log_build(struct log_line *, enum log_level, const char *event, const char *sentence,
    const struct log_field *fields);

/* A whole line, to the writer if there is one, else to standard error. */
void log_put(const char *text, size_t bytes, bool is_audit);

/* Whether this line of log_limited() is written; counts it. */
bool log_limit_passes(enum log_level, const char *event, const struct address *client);
/* Tells what was suppressed in windows that have ended, or in all of them, which ends them. */
void log_limit_tell(bool all);
/* Whether there is a window, so that log_limit_tell() is due within a second. */
bool log_limit_is_open(void);
/* Around a fork; the child forgets what its parent has counted. */
void log_limit_lock(void);
void log_limit_unlock(void);
void log_limit_leave_parent(void);

#endif
