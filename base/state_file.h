/*
 * Files of state_dir that a daemon writes again and again.  Where the file system is full, read-only or
 * gone, the daemon goes on, says so, tries again, and says when it has succeeded (outage.h).
 */
#ifndef BASE_STATE_FILE_H
#define BASE_STATE_FILE_H

#include <stdbool.h>

#include "base/outage.h"

/* Of one file, or of several that are written together; {0} to begin with.  One thread at a time. */
struct state_file {
	struct outage outage;
};

/* After each attempt: logs state-unwritten with the sentence of a failure, and state-written at the first
 * success behind one. */
void state_file_note(struct state_file *, bool is_written, const char *error);

/* The last attempt has failed. */
bool state_file_is_behind(const struct state_file *);

#endif
