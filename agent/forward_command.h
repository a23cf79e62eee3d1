/*
 * `valise-agent forward`: one forward from the command line, no relay, no configuration
 * file, nothing kept on disk.
 */
#ifndef AGENT_FORWARD_COMMAND_H
#define AGENT_FORWARD_COMMAND_H

#include "base/program.h"

struct agent_settings;

/* Fills the settings from `forward ...` (arguments[0] is the word itself).  0, or the exit code after
 * one line on standard error: 64 usage, 66 a file that is not there.  Wipe in any case. */
int forward_command_read(struct agent_settings *, int count, char **arguments);

/* Its options, for the table of commands. */
extern const struct program_option forward_command_options[];

#endif
