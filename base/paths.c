/* Where the files of an installation are: the one source that the makefile compiles with them. */
#include "base/paths.h"

#include <stdlib.h>

#define DIRECTORY VALISE_SYSCONFDIR "/valise"
#define RELAY_CONFIG DIRECTORY "/relay.yml"
#define AGENT_CONFIG DIRECTORY "/agent.yml"

const char paths_sysconfdir[] = DIRECTORY;

const char paths_relay_config[] = RELAY_CONFIG;
const char paths_agent_config[] = AGENT_CONFIG;
const char paths_pki_config[] = DIRECTORY "/pki.yml";

static const char *
usual(const char *variable, const char *path)
{
	const char *value = getenv(variable);

	return value && value[0] != '\0' ? value : path;
}

const char *
paths_usual_relay_config(void)
{
	return usual("VALISE_RELAY_CONFIG", paths_relay_config);
}

const char *
paths_usual_agent_config(void)
{
	return usual("VALISE_AGENT_CONFIG", paths_agent_config);
}

const char paths_relay_config_help[] = "instead of " RELAY_CONFIG;
const char paths_agent_config_help[] = "instead of " AGENT_CONFIG;

const char paths_relay_state[] = VALISE_LOCALSTATEDIR "/lib/valise-relay";
const char paths_agent_state[] = VALISE_LOCALSTATEDIR "/lib/valise-agent";

const char paths_libexec[] = VALISE_LIBEXECDIR "/valise";
