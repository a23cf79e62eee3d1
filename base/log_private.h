/*
 * Internal to the log.  From the bottom up: a line while it is built (log_line.c), how many there may
 * be (log_limit.c), the last ones of those that people should know of (log_recent.c), those that wait
 * (log_ring.c), where they go to (log_output.c), the way that they take (log_writer.c), and what everybody
 * calls (log.c).  Each uses only those before it.
 */
#ifndef BASE_LOG_PRIVATE_H
#define BASE_LOG_PRIVATE_H

#include <stddef.h>
#include "base/address.h"
#include "base/log.h"

/* ---- log_line.c ---- */

enum { LOG_LINE_BYTES = 16384 };

/* What does not fit is left out field by field, so that a line is always whole. */
struct log_line {
	char text[LOG_LINE_BYTES];
	size_t bytes;
	bool full;
};

/* What lines are like from now on.  `program` is borrowed for ever. */
void log_line_format(const char *program, bool json, bool journal);
/* Begins and ends a line in the format that is set, whatever the level. */
void log_build(struct log_line *, enum log_level, const char *event, const char *sentence,
    const struct log_field *fields);

/* The fields alone, as in a line of text; NUL-terminated. */
void log_build_fields(struct log_line *, const struct log_field *fields);

/* ---- log_limit.c: counts, and writes nothing itself ---- */

enum {
	LOG_LIMIT_WINDOWS = 1024,
	LOG_LIMIT_ENDED = 2,
	/* Of one event in a second, with those that tell what was suppressed. */
	LOG_LIMIT_EVENT_LINES = 100,
	LOG_LIMIT_PARTIES = 256,
	LOG_LIMIT_PARTY_LINES = 60, /* of one of these in a minute */
};

/* What a window that has ended kept back. */
struct log_suppressed {
	enum log_level level;
	const char *event;
	struct prefix block; /* {0}: of all clients */
	uint64_t lines;      /* 0: none, and the rest says nothing */
};

/* Whether this line of log_limited() is written, if it may be at all; counts it.  The windows of its own
 * that this has ended are in the last. */
bool log_limit_passes(enum log_level, const char *event, const struct address *client,
    bool may_pass, struct log_suppressed[LOG_LIMIT_ENDED]);

enum log_party {
	LOG_PARTY_TOLD,
	LOG_PARTY_SUPPRESSED, /* it had enough lines in this minute */
	LOG_PARTY_UNKNOWN, /* there were too many others in this minute: nothing is known of it */
};
/* Counts one more line of who has proven who he is. */
enum log_party log_limit_party(uint64_t who);
/* Ends the window that ends first, if its time is over or `all` must end.  False: there is none. */
bool log_limit_end_first(bool all, struct log_suppressed *);
/* Whether there is a window, so that log_tell_suppressed() is due within a second. */
bool log_limit_is_open(void);
/* Around a fork; the child forgets what its parent has counted. */
void log_limit_lock(void);
void log_limit_unlock(void);
void log_limit_leave_parent(void);

/* ---- log_recent.c, see base/log_recent.h ---- */

/* All is copied; the sentence may be NULL. */
void log_recent_put(enum log_level, const char *event, const char *sentence, const char *fields);
/* Around a fork. */
void log_recent_lock(void);
void log_recent_unlock(void);

/* ---- log_ring.c: lines that wait ---- */

enum {
	LOG_RING_BYTES = 4 << 20,
	LOG_RING_AUDIT_BYTES = 1 << 20, /* of these: only audit events use the last free ones */
};

/* Its owner's lock guards it.  {0} is empty. */
struct log_ring {
	size_t first, used;
	uint8_t bytes[LOG_RING_BYTES];
};

/* False: there is no room. */
bool log_ring_put(struct log_ring *, const char *line, uint16_t bytes, bool is_audit);
/* One line of any length, or as many as fit in PIPE_BUF; they stay in the ring. */
void log_ring_copy(const struct log_ring *, struct log_line *out);
/* Those that are whole in so many bytes leave. */
void log_ring_drop(struct log_ring *, size_t bytes);
/* The first one leaves, which must be there: whether it was an audit event. */
bool log_ring_drop_first(struct log_ring *);
void log_ring_clear(struct log_ring *);

/* ---- log_output.c: standard error ---- */

/* Whole lines.  How much of them is out: less only if the rest cannot be written; one that was torn gets an
 * end before the next. */
size_t log_output_write(const char *text, size_t bytes);
/* What stays under the lines, for the writer's thread alone, which takes it away before it writes.  False:
 * there was none. */
void log_output_put_footer(const char *footer);
bool log_output_take_footer(void);

/* ---- log_writer.c ---- */

/* A whole line, to the writer if there is one, else to standard error. */
void log_put(const char *text, size_t bytes, bool is_audit);
/* A line for what was suppressed, if anything was. */
void log_put_suppressed(const struct log_suppressed *);
/* The same for at most so many windows that have ended, or that end by this. */
void log_tell_suppressed(unsigned most, bool all);

#endif
