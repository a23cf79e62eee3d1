/* Tells of files that cannot be written, once. */
#include "base/state_file.h"

#include "base/log.h"

void
state_file_note(struct state_file *file, bool is_written, const char *error)
{
	if (!is_written && !file->has_failed)
		log_event(LOG_WARNING, "state-unwritten", error);
	else if (is_written && file->has_failed)
		log_event(
		    LOG_INFO, "state-written", "what could not be written before is on the disk");
	file->has_failed = !is_written;
}
