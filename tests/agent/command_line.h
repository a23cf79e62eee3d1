/*
 * Command lines given to what reads them, as the agent's words do.
 */
#ifndef TESTS_AGENT_COMMAND_LINE_H
#define TESTS_AGENT_COMMAND_LINE_H

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/settings.h"

enum { ARGUMENTS_MOST = 40 };

/* The words end with NULL.  Standard error is thrown away: its sentences are for people. */
static int
read_command_line(int (*read_them)(struct agent_settings *, int count, char **arguments),
    struct agent_settings *settings, const char *const *words)
{
	char *arguments[ARGUMENTS_MOST] = { 0 };
	int count = 0, code, kept = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY);

	while (words[count]) {
		arguments[count] = strdup(words[count]);
		count++;
	}
	dup2(null, STDERR_FILENO);
	code = read_them(settings, count, arguments);
	dup2(kept, STDERR_FILENO);
	close(kept);
	close(null);
	for (int i = 0; i < count; i++)
		free(arguments[i]);
	return code;
}

#endif
