/*
 * `valise-agent tls`: one endpoint from the command line, nothing kept on disk.  Who the agent is and where
 * its relays are comes from the command line, too, or else from the configuration of this host's agent, as
 * `join` writes it; its endpoints, forwards and all that is the service's own are left alone.
 */
#ifndef AGENT_ONESHOT_H
#define AGENT_ONESHOT_H

#include "base/program.h"

struct agent_settings;

/* Fills the settings from `tls ...` (arguments[0] is the word itself).  0, or the exit code after
 * one line on standard error: 64 usage, 66 a file that is not there; or after what is wrong with the
 * configuration, 78.  Wipe in any case. */
int oneshot_read(struct agent_settings *, int count, char **arguments);

/* Its options, for the table of commands. */
extern const struct program_option oneshot_options[];

#endif
