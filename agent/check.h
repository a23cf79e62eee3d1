/*
 * `valise-agent check`: reads the configuration and every file that it names, sees whether a
 * start could write and listen where it must, connects to nobody unless it is told to, changes
 * nothing, and says what would fail or surprise.
 */
#ifndef AGENT_CHECK_H
#define AGENT_CHECK_H

struct agent_settings;

/* 0 fine (perhaps with warnings), 1 a certificate has expired or is one that the other side refuses, 2 one
 * ends soon, 66 no such file, 69 an address of a forward cannot be listened at, 71 memory is short, 73 a
 * directory cannot be written, 75 something is not valid yet by the clock, 78 wrong. */
int agent_check_run(const char *config_path);
/* What of this host a start would take, told on standard error where it cannot be had: 0, 69 or 73. */
int agent_check_start(const struct agent_settings *);

/* What an endpoint (its `name`) would answer to a client with this certificate, leaf first in its file:
 * which of its rules lets it in, or why each does not.  0 it comes in, 1 it does not, 64 there is no such
 * endpoint, 65 no certificate is in the file, 66, 71, 78 as above. */
int agent_check_client(const char *config_path, const char *client_path, const char *endpoint_name);

/* Reads the settings as a check does, which remembers what the agent does and keeps nothing: 0, or the
 * exit code.  Wipe in any case. */
int agent_check_read(struct agent_settings *, const char *config_path);
/* Tells on standard error what the load of settings said was wrong, with the place that names it. */
void agent_check_tell(const char *config_path, const struct agent_settings *, const char *error);

#endif
