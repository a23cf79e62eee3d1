/* Tells of files that cannot be written. */
#include "base/state_file.h"

#include "base/clock.h"
#include "base/log.h"

void
state_file_note(struct state_file *file, bool is_written, const char *error)
{
	uint64_t now = clock_ms();
	struct outage past;

	if (!is_written && outage_fail(&file->outage, "unwritten", now))
		log_event(LOG_WARNING, "state-unwritten", error, log_outage(&file->outage, now));
	else if (is_written && outage_end(&file->outage, &past))
		log_event(LOG_WARNING, "state-written",
		    "what could not be written before is on the disk", log_outage(&past, now));
}

bool
state_file_is_behind(const struct state_file *file)
{
	return file->outage.failures > 0;
}
