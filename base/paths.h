/*
 * Where the files of an installation are.  The build knows it by `prefix`, `sysconfdir` and the like, and
 * tells it to this object alone: for another prefix `make install` compiles one file and links again.
 * Texts end without a slash, and nothing is made or opened here.
 */
#ifndef BASE_PATHS_H
#define BASE_PATHS_H

/* The directory of the configurations. */
extern const char paths_sysconfdir[];

/* The configurations, unless -c names another. */
extern const char paths_relay_config[], paths_agent_config[], paths_pki_config[];
/* The same, or what VALISE_RELAY_CONFIG and VALISE_AGENT_CONFIG of the environment name instead. */
const char *paths_usual_relay_config(void);
const char *paths_usual_agent_config(void);
/* What --help says behind -c FILE. */
extern const char paths_relay_config_help[], paths_agent_config_help[];

/* The state_dir of each daemon, unless its configuration names another. */
extern const char paths_relay_state[], paths_agent_state[];

/* The directory of programs that only ours start. */
extern const char paths_libexec[];

#endif
