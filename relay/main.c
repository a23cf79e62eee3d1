/*
 * valise-relay(8): the table of its commands, and nothing else.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/admin_command.h"
#include "base/log.h"
#include "base/paths.h"
#include "base/process.h"
#include "base/processes.h"
#include "base/program.h"
#include "base/secret.h"
#include "enrol/join.h"
#include "relay/check.h"
#include "relay/relay.h"
#include "relay/relay_join.h"
#include "relay/relay_views.h"
#include "relay/settings.h"
#include "tunnel/tls.h"

#define CONFIG_OPTION ADMIN_CONFIG_OPTION(paths_relay_config_help)
/* What flows and sessions are picked by. */
#define AGENT_OPTIONS \
	PROGRAM_OPTION("session", "ID", "of this session, as `agents` says it"), \
	    PROGRAM_OPTION("agent", "NAME", "of agents with this name in their grant"), \
	    PROGRAM_OPTION("issuer-key", "KEY", "whose certificate is of the CA with this key")
#define FLOW_OPTIONS \
	PROGRAM_OPTION("flow", "ID", "the flow with this id"), \
	    PROGRAM_OPTION( \
		"name", "NAME", "to this server name, or by the route of this pattern"), \
	    PROGRAM_OPTION("client", "ADDRESS[/BITS]", "of this client or network"), AGENT_OPTIONS

enum run_option { RUN_TAKEOVER, RUN_NO_SANDBOX, RUN_CONFIG, RUN_OPTIONS };
static const struct program_option run_options[RUN_OPTIONS + 1] = {
	[RUN_TAKEOVER] = PROGRAM_OPTION("takeover", NULL,
	    "from the relay that runs, if there is one: no connection is refused meanwhile"),
	[RUN_NO_SANDBOX] = PROGRAM_OPTION(
	    "no-sandbox", NULL, "give up nothing after the start, not even capabilities"),
	[RUN_CONFIG] = CONFIG_OPTION,
};
static const struct program_option config_options[] = { CONFIG_OPTION, { 0 } };
static const struct program_option order_options[] = { ADMIN_JSON_OPTION, CONFIG_OPTION, { 0 } };
static const struct program_option status_options[] = { ADMIN_VIEW_OPTIONS, CONFIG_OPTION, { 0 } };
static const struct program_option agents_options[] = { AGENT_OPTIONS,
	PROGRAM_OPTION("sort", RELAY_AGENTS_SORT, "by this column"), ADMIN_VIEW_OPTIONS,
	CONFIG_OPTION, { 0 } };
static const struct program_option routes_options[] = { PROGRAM_OPTION("name", "NAME",
							    "this name or pattern alone"),
	PROGRAM_OPTION("sort", RELAY_ROUTES_SORT, "by this column"), ADMIN_VIEW_OPTIONS,
	CONFIG_OPTION, { 0 } };
static const struct program_option flows_options[] = { FLOW_OPTIONS,
	PROGRAM_OPTION("sort", RELAY_FLOWS_SORT, "by this column, the largest first"),
	ADMIN_VIEW_OPTIONS, CONFIG_OPTION, { 0 } };
static const struct program_option kick_options[] = { FLOW_OPTIONS, ADMIN_JSON_OPTION,
	CONFIG_OPTION, { 0 } };

/* Processes begin before there are threads. */
static int
serve(const struct relay_options *asked)
{
	struct relay_options options = *asked;
	struct processes processes;
	int code;

	if (!processes_start(&processes)) {
		fprintf(
		    stderr, "valise-relay: the system refuses a process: %s\n", strerror(errno));
		return EX_OSERR;
	}
	options.processes = &processes;
	code = relay_run(&options);
	log_stop();
	processes_end(&processes);
	return code;
}

static int
run(const struct program_command *command, int count, char **arguments)
{
	const char *values[RUN_OPTIONS] = { 0 };
	int code = program_read(command, count, arguments, values, NULL, NULL);

	if (code != EX_OK)
		return code;
	if (!tls_start())
		return EX_SOFTWARE;
	return serve(&(struct relay_options){
	    .path = values[RUN_CONFIG] ? values[RUN_CONFIG] : paths_usual_relay_config(),
	    .takes_over = values[RUN_TAKEOVER] != NULL,
	    .has_no_sandbox = values[RUN_NO_SANDBOX] != NULL });
}

static int
check(const struct program_command *command, int count, char **arguments)
{
	const char *config = NULL;
	int code = program_read(command, count, arguments, &config, NULL, NULL);

	if (code != EX_OK)
		return code;
	return tls_start() ? check_run(config ? config : paths_usual_relay_config()) : EX_SOFTWARE;
}

static int
join(const struct program_command *command, int count, char **arguments)
{
	(void)command; /* it reads its command line itself */
	return tls_start() ? relay_join_run(count, arguments) : EX_SOFTWARE;
}

static int
ask(const struct program_command *command, int count, char **arguments)
{
	static const struct admin_program program = { "valise-relay", settings_admin_rows };

	return admin_command_run(
	    &program, paths_usual_relay_config(), relay_views, command, count, arguments);
}

static const struct program_command commands[] = {
	{ "run", "", "route connections until told to stop", run_options, run },
	{ "check", "", "check the configuration and all its files, and say what is wrong",
	    config_options, check },
	{ "init", "NAME", "write a first configuration", relay_init_options, relay_init_run },
	{ "join", "", "make this host's relay out of the line of an invitation", join_rows, join },
	{ "status", "", "ask the running relay how it is", status_options, ask },
	{ "agents", "", "which agents are connected", agents_options, ask },
	{ "routes", "", "which names lead where", routes_options, ask },
	{ "flows", "", "which connections are open, and how fast they are", flows_options, ask },
	{ "kick", "", "end flows, or agents' sessions with their flows", kick_options, ask },
	{ "drain", "", "have the running relay take nothing new, and stop when all is over",
	    order_options, ask },
	{ "reload", "", "have it read its configuration again, and say whether that holds",
	    order_options, ask },
	{ 0 },
};

int
main(int argc, char **argv)
{
	static const struct program program = { "valise-relay",
		"Route TLS connections by name, without opening them.",
		"valise-relay(8) and valise-relay.yml(5)", commands };

	process_open_standard();
	process_ignore_signals();
	process_harden();
	log_init("valise-relay", LOG_INFO, LOG_AUTO);
	return program_main(&program, argc, argv);
}
