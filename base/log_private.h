/*
 * Internal to the log: a line while it is built (log.c), the way that it takes (log_writer.c).
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

#endif
