/*
 * The agent's identity over restarts: the instance, 16 random bytes that are
 * kept in `state_dir`, with a lock beside them so that only one process uses
 * them at a time.  The start is new for each process.  A one-shot agent keeps
 * nothing.
 */
#ifndef AGENT_STATE_H
#define AGENT_STATE_H

#include <stdint.h>

#include "base/file.h"
#include "tunnel/frame.h"

struct agent_state {
	uint8_t instance[INSTANCE_BYTES];
	uint8_t start[START_BYTES];
};

/* Where the lock of this directory is. */
enum { AGENT_LOCK_PATH = 4096 };
const char *agent_state_lock_path(const char *dir, char path[AGENT_LOCK_PATH]);

/* dir NULL: both are random and nothing is written.  0, or the exit code with a sentence: 65 the
 * file is damaged, 66 it cannot be read, 69 another process uses the directory, 73 it cannot be
 * written. */
int agent_state_open(struct agent_state *, const char *dir, char error[FILE_ERROR]);

#endif
