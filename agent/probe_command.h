/*
 * `valise-agent probe`: asks from this machine which key answers for a public name.
 */
#ifndef AGENT_PROBE_COMMAND_H
#define AGENT_PROBE_COMMAND_H

#include "base/program.h"

/* arguments[0] is the word itself.  0 the expected key answers, 1 another one does, 69 nobody has proven any,
 * 64 usage, 71 the system refuses. */
int probe_command_run(int count, char **arguments);

/* Its options, for the table of commands. */
extern const struct program_option probe_command_options[];

#endif
