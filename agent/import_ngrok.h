/*
 * `valise-agent import-ngrok FILE`: makes a configuration of ours out of one of ngrok's agent, version
 * 2 or 3, on standard output or in a file that is not there yet.  Whatever could not be carried over is
 * named on standard error, file:line:column and key, with the reason or with what is to be filled in.
 */
#ifndef AGENT_IMPORT_NGROK_H
#define AGENT_IMPORT_NGROK_H

#include "base/program.h"

extern const struct program_option import_ngrok_options[];
/* arguments[0] is the word itself.  0, or the exit code after a line on standard error: 64 usage, 65 it
 * has nothing that an agent of ours could serve, 66 the file cannot be read, 73 the other one cannot be
 * made, 78 it is not a configuration of ngrok's. */
int import_ngrok_run(const struct program_command *, int count, char **arguments);

#endif
