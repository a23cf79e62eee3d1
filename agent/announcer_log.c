/* What the log has of announcements, within the bound of announcer.h. */
#include "base/log.h"

#include "agent/announcer_private.h"

enum { MINUTE_MS = 60000, LINES_FREE = 60 };

static void
tell_suppressed(struct announcer *a)
{
	struct announcer_lines *lines = &a->lines;

	if (lines->refusals + lines->changes > 0)
		log_audit(LOG_WARNING, "endpoint-lines-suppressed",
		    "the relay accepts and refuses again and again: ask whoever runs it",
		    log_str("relay", a->relay), log_u64("refusals", lines->refusals),
		    log_u64("changes", lines->changes));
	lines->refusals = lines->changes = lines->told = 0;
}

static void
on_minute(void *arg)
{
	tell_suppressed(arg);
}

/* Counts it in `suppressed` if not. */
static bool
may_tell(struct announcer *a, uint64_t *suppressed)
{
	struct announcer_lines *lines = &a->lines;

	if (!lines->minute.armed)
		timer_set(&lines->minute, MINUTE_MS);
	if (lines->told < LINES_FREE + 2 * a->count) {
		lines->told++;
		return true;
	}
	(*suppressed)++;
	return false;
}

void
announcer_log_accepted(struct announcer *a, const struct announcer_entry *entry)
{
	if (may_tell(a, &a->lines.changes))
		log_audit(LOG_INFO, announcer_is_mark(entry) ? "challenge-accepted" : "endpoint-up",
		    announcer_is_mark(entry) ? "the relay passes ACME servers on to here"
					     : "the relay routes it here",
		    log_str("endpoint", entry->endpoint->name),
		    log_str("server_name", entry->endpoint->server_name),
		    log_str("relay", a->relay));
}

void
announcer_log_resumed(const struct announcer *a)
{
	log_audit(LOG_INFO, "endpoints-resumed",
	    "the relay goes on with what was announced before, and judges it anew",
	    log_str("relay", a->relay), log_u64("endpoints", a->under_way));
}

void
announcer_log_refused(
    struct announcer *a, const struct announcer_entry *entry, const struct session_answer *answer)
{
	bool permanent = code_is_permanent(answer->code);
	enum log_level level = entry->refused == answer->code ? LOG_DEBUG
	    : permanent                                       ? LOG_ERROR
							      : LOG_WARNING;

	if (level == LOG_DEBUG || may_tell(a, &a->lines.refusals))
		log_audit(level,
		    announcer_is_mark(entry) ? "challenge-refused" : "endpoint-refused",
		    answer->sentence, log_str("code", code_word(answer->code)),
		    log_str("endpoint", entry->endpoint->name),
		    log_str("server_name", entry->endpoint->server_name),
		    log_str("relay", a->relay), log_bool("permanent", permanent));
}

void
announcer_log_withdrawn(struct announcer *a, const struct announcer_entry *entry)
{
	if (may_tell(a, &a->lines.changes))
		log_audit(LOG_WARNING, "endpoint-withdrawn",
		    "all its upstreams are down; it is announced again when one of them is up",
		    log_str("endpoint", entry->endpoint->name),
		    log_str("server_name", entry->endpoint->server_name),
		    log_str("relay", a->relay));
}

void
announcer_log_init(struct announcer *a, struct loop *loop)
{
	timer_init(&a->lines.minute, loop, on_minute, a);
}

void
announcer_log_end(struct announcer *a)
{
	timer_clear(&a->lines.minute);
	tell_suppressed(a);
}
