/*
 * `valise-agent join`: turns the line of an invitation into this host's agent, see enrol/join.h.
 */
#ifndef AGENT_AGENT_JOIN_H
#define AGENT_AGENT_JOIN_H

#include "base/program.h"

/* arguments[0] is the word itself.  0, or the exit code after one line on standard error (join_run()). */
int agent_join_run(int count, char **arguments);
/* `valise-agent init`: a first configuration only (enrol/init.h). */
extern const struct program_option agent_init_options[];
int agent_init_run(const struct program_command *, int count, char **arguments);

#endif
