/* Keeps the agent's identity in state_dir over restarts, and its lock. */
#include "agent/state.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "base/memory.h"
#include "base/ready.h"
#include "base/units.h"

enum {
	INSTANCE_TEXT = 2 * INSTANCE_BYTES + 1, /* with a NUL, in the file a newline */
	FILE_MOST = 4096,
};

const char *
agent_state_lock_path(const char *dir, char path[AGENT_LOCK_PATH])
{
	snprintf(path, AGENT_LOCK_PATH, "%s/agent.lock", dir);
	return path;
}

static int
lock(const char *dir, char error[FILE_ERROR])
{
	char path[AGENT_LOCK_PATH];
	long holder = 0;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST) {
		snprintf(error, FILE_ERROR,
		    "%.300s: cannot create it: %s; make it, or set agent.state_dir", dir,
		    strerror(errno));
		return EX_CANTCREAT;
	}
	if (ready_lock(agent_state_lock_path(dir, path), &holder, error))
		return 0;
	if (holder == 0)
		return EX_CANTCREAT;
	snprintf(error, FILE_ERROR,
	    "%.300s: process %ld is running with this state_dir; stop it, or give each agent its "
	    "own agent.state_dir",
	    dir, holder);
	return EX_UNAVAILABLE;
}

static int
create_instance(struct agent_state *state, const char *path, char error[FILE_ERROR])
{
	char text[INSTANCE_TEXT];

	hex_encode(text, state->instance, sizeof state->instance);
	text[INSTANCE_TEXT - 1] = '\n';
	return file_create(path, 0600, text, sizeof text, error) ? 0 : EX_CANTCREAT;
}

static int
read_instance(struct agent_state *state, const char *path, char error[FILE_ERROR])
{
	struct secret text = { 0 };
	int code;
	bool fine;

	memory_begin();
	fine = file_read(&text, path, FILE_MOST, error);
	if (!fine) {
		code = memory_exit_code(EX_NOINPUT);
		secret_wipe(&text);
		return code;
	}
	fine = text.bytes == INSTANCE_TEXT && text.data[INSTANCE_TEXT - 1] == '\n';
	if (fine) {
		text.data[INSTANCE_TEXT - 1] = '\0';
		fine = hex_decode(state->instance, sizeof state->instance, (const char *)text.data);
	}
	secret_wipe(&text);
	if (fine)
		return 0;
	snprintf(error, FILE_ERROR,
	    "%.300s: not 32 hexadecimal digits; remove it, a new one is made", path);
	return EX_DATAERR;
}

int
agent_state_open(struct agent_state *state, const char *dir, char error[FILE_ERROR])
{
	char path[PATH_MAX];
	int code;

	arc4random_buf(state->start, sizeof state->start);
	arc4random_buf(state->instance, sizeof state->instance);
	if (!dir)
		return 0;
	code = lock(dir, error);
	if (code != 0)
		return code;
	snprintf(path, sizeof path, "%s/instance", dir);
	if (!file_stamp_of(path).exists)
		return create_instance(state, path, error);
	return read_instance(state, path, error);
}
