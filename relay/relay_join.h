/*
 * `valise-relay join`: turns the line of an invitation into this host's relay, see enrol/join.h.
 */
#ifndef RELAY_RELAY_JOIN_H
#define RELAY_RELAY_JOIN_H

#include "base/program.h"

/* arguments[0] is the word itself.  0, or the exit code after one line on standard error (join_run()). */
int relay_join_run(int count, char **arguments);
/* `valise-relay init NAME`: a first configuration only (enrol/init.h). */
extern const struct program_option relay_init_options[];
int relay_init_run(const struct program_command *, int count, char **arguments);

#endif
