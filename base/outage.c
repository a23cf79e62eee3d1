/* Counts failures, and says which of them are told. */
#include "base/outage.h"

#include <stddef.h>
#include <string.h>

enum { MINUTE_MS = 60000, HOUR_MS = 60 * MINUTE_MS, DAY_MS = 24 * HOUR_MS };

static const uint64_t first_ms[] = { MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS };

enum { FIRST = sizeof first_ms / sizeof *first_ms };

uint64_t
outage_again_ms(enum outage_pace pace, unsigned told_again)
{
	if (pace == OUTAGE_DAILY)
		return (uint64_t)DAY_MS * (told_again + 1);
	return told_again < FIRST ? first_ms[told_again]
				  : (uint64_t)HOUR_MS * (told_again - FIRST + 1);
}

static bool
is_new_kind(struct outage *outage, const char *kind)
{
	for (unsigned i = 0; i < outage->kind_count; i++)
		if (strcmp(outage->kinds[i], kind) == 0)
			return false;
	if (outage->kind_count == OUTAGE_KINDS)
		return false;
	outage->kinds[outage->kind_count++] = kind;
	return true;
}

/* However many times have gone by since the last failure, they are told by one line. */
static bool
is_due_again(struct outage *outage, uint64_t now_ms)
{
	unsigned before = outage->told_again;

	while (now_ms - outage->began_ms >= outage_again_ms(outage->pace, outage->told_again))
		outage->told_again++;
	return outage->told_again > before;
}

bool
outage_fail(struct outage *outage, const char *kind, uint64_t now_ms)
{
	bool is_new, is_due;

	if (outage->failures++ == 0)
		outage->began_ms = now_ms;
	outage->failed_ms = now_ms;
	is_new = is_new_kind(outage, kind);
	is_due = is_due_again(outage, now_ms);
	return is_new || is_due;
}

bool
outage_end(struct outage *outage, struct outage *past)
{
	bool was_told = outage->failures > 0;

	if (past)
		*past = *outage;
	*outage = (struct outage){ .pace = outage->pace };
	return was_told;
}

void
outage_tell_anew(struct outage *outage)
{
	outage->kind_count = 0;
}

bool
outage_is_calm(const struct outage *outage, uint64_t now_ms)
{
	return outage->failures > 0 && now_ms - outage->failed_ms >= OUTAGE_CALM_MS;
}

struct log_field
outage_field_failures(const struct outage *outage)
{
	return outage->failures > 1 ? log_u64("failures", outage->failures)
				    : log_str("failures", NULL);
}

/* An outage that one failure makes has lasted for a time when it is over, too. */
struct log_field
outage_field_lasted(const struct outage *outage, uint64_t now_ms)
{
	uint64_t lasted_ms = outage->failures > 0 ? now_ms - outage->began_ms : 0;

	return lasted_ms > 0 ? log_u64("lasted_s", lasted_ms / 1000) : log_str("lasted_s", NULL);
}
