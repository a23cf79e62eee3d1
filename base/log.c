/* What everybody calls: decides whether a line is written at all, and has it built and put. */
#include "base/log.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log_private.h"

enum { TOLD_AT_ONCE = 2 }; /* windows of the limit that one line may end, beside its own */

static atomic_int most_level = LOG_INFO;

/* systemd.exec(5): only while standard error still is what the manager made of it. */
static bool
is_journal(void)
{
	const char *manager = getenv("JOURNAL_STREAM");
	struct stat file;
	char here[64];

	if (!manager || fstat(STDERR_FILENO, &file) < 0)
		return false;
	snprintf(here, sizeof here, "%ju:%ju", (uintmax_t)file.st_dev, (uintmax_t)file.st_ino);
	return strcmp(manager, here) == 0;
}

void
log_init(const char *program, enum log_level level, enum log_format format)
{
	atomic_store(&most_level, (int)level);
	log_line_format(program, format == LOG_AUTO ? !isatty(STDERR_FILENO) : format == LOG_JSON,
	    is_journal());
}

bool
log_enabled(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&most_level, memory_order_relaxed);
}

/* A line that is to be written.  What people should know of is kept, too. */
static void
write_line(enum log_level level, bool is_audit, const char *event, const char *sentence,
    const struct log_field *fields)
{
	struct log_line line;

	log_build(&line, level, event, sentence, fields);
	log_put(line.text, line.bytes, is_audit);
	if (!is_audit && level > LOG_WARNING)
		return;
	log_build_fields(&line, fields);
	log_recent_put(level, event, sentence, line.bytes > 0 ? line.text + 1 : "");
}

void
log_write(
    enum log_level level, const char *event, const char *sentence, const struct log_field *fields)
{
	if (log_enabled(level))
		write_line(level, false, event, sentence, fields);
}

void
log_move(const char *machine, struct log_field id, const char *from, const char *to)
{
	if (from != to && log_enabled(LOG_DEBUG))
		log_event(LOG_DEBUG, "move", NULL, log_str("machine", machine), id,
		    log_str("from", from), log_str("to", to));
}

/* Counts a line, and tells of the windows that this ends. */
static bool
passes_limit(enum log_level level, const char *event, const struct address *client, bool may_pass)
{
	struct log_suppressed ended[LOG_LIMIT_ENDED];
	bool passes;

	log_tell_suppressed(TOLD_AT_ONCE, false);
	passes = log_limit_passes(level, event, client, may_pass, ended);
	for (int i = 0; i < LOG_LIMIT_ENDED; i++)
		log_put_suppressed(&ended[i]);
	return passes;
}

void
log_write_limited(enum log_level level, const char *event, const struct address *client,
    const char *sentence, const struct log_field *fields)
{
	if (log_enabled(level) && passes_limit(level, event, client, true))
		log_write(level, event, sentence, fields);
}

void
log_write_audit(
    enum log_level level, const char *event, const char *sentence, const struct log_field *fields)
{
	if (log_enabled(level))
		write_line(level, true, event, sentence, fields);
}

void
log_write_judged(enum log_level level, const char *event, const struct address *client,
    uint64_t who, const char *sentence, const struct log_field *fields)
{
	if (!log_enabled(level))
		return;
	switch (who != 0 ? log_limit_party(who) : LOG_PARTY_UNKNOWN) {
	case LOG_PARTY_TOLD:
		log_write_audit(level, event, sentence, fields);
		break;
	case LOG_PARTY_SUPPRESSED:
		passes_limit(level, event, client, false);
		break;
	case LOG_PARTY_UNKNOWN:
		log_write_limited(level, event, client, sentence, fields);
		break;
	}
}
