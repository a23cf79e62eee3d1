/*
 * `valise-agent tls`: one endpoint from the command line, no configuration
 * file, nothing kept on disk.
 */
#ifndef AGENT_ONESHOT_H
#define AGENT_ONESHOT_H

struct agent_settings;

/* Fills the settings from `tls ...` (arguments[0] is the word itself).  0, or the exit code after
 * one line on standard error: 64 usage, 66 a file that is not there.  Wipe in any case. */
int oneshot_read(struct agent_settings *, int count, char **arguments);

#endif
