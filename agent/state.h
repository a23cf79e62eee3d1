/*
 * What makes this agent the same one after a restart: the instance, 16 random
 * bytes in `state_dir`, and a lock beside it so that only one process has them.
 * The start is new for each process.  A one-shot agent keeps nothing.
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

/* dir NULL: random, nothing is written.  Returns 0, or the exit code with a sentence:
 * 69 another process has the directory, 73 it cannot be written, 65 its contents are damaged. */
int agent_state_open(struct agent_state *, const char *dir, char error[FILE_ERROR]);

#endif
