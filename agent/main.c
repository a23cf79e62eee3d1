/*
 * valise-agent(8): the table of its commands, and nothing else.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "agent/agent.h"
#include "agent/agent_join.h"
#include "agent/agent_views.h"
#include "agent/check.h"
#include "agent/diagnose.h"
#include "agent/forward_command.h"
#include "agent/import_ngrok.h"
#include "agent/keygen.h"
#include "agent/oneshot.h"
#include "agent/probe_command.h"
#include "agent/settings.h"
#include "base/admin_command.h"
#include "base/log.h"
#include "base/paths.h"
#include "base/process.h"
#include "base/processes.h"
#include "base/program.h"
#include "base/secret.h"
#include "base/units.h"
#include "enrol/join.h"
#include "tunnel/tls.h"

enum { HOLD_MOST_S = 86400 };

#define CONFIG_OPTION ADMIN_CONFIG_OPTION(paths_agent_config_help)

enum run_option { RUN_ONCE, RUN_NO_SANDBOX, RUN_CONFIG, RUN_OPTIONS };
static const struct program_option run_options[RUN_OPTIONS + 1] = {
	[RUN_ONCE] = PROGRAM_OPTION("once", NULL, "exit 77 at the first refusal for good"),
	[RUN_NO_SANDBOX] = PROGRAM_OPTION(
	    "no-sandbox", NULL, "give up nothing after the start, not even capabilities"),
	[RUN_CONFIG] = CONFIG_OPTION,
};
enum check_option { CHECK_CONNECT, CHECK_CLIENT, CHECK_ENDPOINT, CHECK_CONFIG, CHECK_OPTIONS };
static const struct program_option check_options[CHECK_OPTIONS + 1] = {
	[CHECK_CONNECT] = PROGRAM_OPTION(
	    "connect", NULL, "go on to each relay, and see what it says to this agent"),
	[CHECK_CLIENT] = { "client", 0, "FILE",
	    "say whether a client with this certificate would be let in, and why", "endpoint",
	    false, false },
	[CHECK_ENDPOINT] = { "endpoint", 0, "NAME", "by which endpoint", "client", false, false },
	[CHECK_CONFIG] = CONFIG_OPTION,
};
enum diagnose_option { DIAGNOSE_JSON, DIAGNOSE_HOLD, DIAGNOSE_CONFIG, DIAGNOSE_OPTIONS };
static const struct program_option diagnose_rows[DIAGNOSE_OPTIONS + 1] = {
	[DIAGNOSE_JSON] = { "json", 'j', NULL, "one document instead of lines", NULL, false,
	    false },
	[DIAGNOSE_HOLD] = PROGRAM_OPTION(
	    "hold", "SECONDS", "keep the connection to each relay, and see whether it lasts"),
	[DIAGNOSE_CONFIG] = CONFIG_OPTION,
};
static const struct program_option order_options[] = { ADMIN_JSON_OPTION, CONFIG_OPTION, { 0 } };
static const struct program_option status_options[] = { ADMIN_VIEW_OPTIONS, CONFIG_OPTION, { 0 } };
static const struct program_option endpoints_options[] = {
	PROGRAM_OPTION("sort", AGENT_ENDPOINTS_SORT, "by this column"), ADMIN_VIEW_OPTIONS,
	CONFIG_OPTION, { 0 }
};
static const struct program_option flows_options[] = { PROGRAM_OPTION("sort", AGENT_FLOWS_SORT,
							   "by this column, the largest first"),
	ADMIN_VIEW_OPTIONS, CONFIG_OPTION, { 0 } };

static const char *
or_default(const char *config)
{
	return config ? config : paths_usual_agent_config();
}

static int
serve(struct agent_settings *settings, const char *path, bool once, bool has_no_sandbox)
{
	struct processes processes;
	int code;

	if (!processes_start(&processes)) {
		fprintf(
		    stderr, "valise-agent: the system refuses a process: %s\n", strerror(errno));
		agent_settings_wipe(settings);
		return EX_OSERR;
	}
	log_init("valise-agent", (enum log_level)settings->log.level,
	    (enum log_format)settings->log.format);
	code = agent_run(&(struct agent_options){ .settings = settings,
	    .config_path = path,
	    .once = once,
	    .processes = &processes,
	    .has_no_sandbox = has_no_sandbox });
	log_footer("");
	log_stop();
	processes_end(&processes);
	return code;
}

static int
run(const struct program_command *command, int count, char **arguments)
{
	const char *values[RUN_OPTIONS] = { 0 };
	struct agent_settings settings;
	int code = program_read(command, count, arguments, values, NULL, NULL);

	if (code != EX_OK)
		return code;
	if (!tls_start())
		return EX_SOFTWARE;
	code = agent_settings_read(&settings, or_default(values[RUN_CONFIG]), stderr);
	if (code == EX_OK)
		return serve(&settings, or_default(values[RUN_CONFIG]), values[RUN_ONCE] != NULL,
		    values[RUN_NO_SANDBOX] != NULL);
	agent_settings_wipe(&settings);
	return code;
}

/* Not where a start would fail already. */
static int
check_and_connect(const char *config)
{
	int code = agent_check_run(config), found;

	if (code >= EX__BASE)
		return code;
	found =
	    diagnose_run(&(struct diagnose_options){ .config_path = config, .only_relays = true });
	return found != EX_OK ? found : code;
}

static int
check(const struct program_command *command, int count, char **arguments)
{
	const char *values[CHECK_OPTIONS] = { 0 };
	int code = program_read(command, count, arguments, values, NULL, NULL);

	if (code != EX_OK)
		return code;
	if (values[CHECK_CONNECT] && values[CHECK_CLIENT])
		return program_usage("--connect does not go with --client");
	if (!tls_start())
		return EX_SOFTWARE;
	if (values[CHECK_CONNECT])
		return check_and_connect(or_default(values[CHECK_CONFIG]));
	if (values[CHECK_CLIENT])
		return agent_check_client(
		    or_default(values[CHECK_CONFIG]), values[CHECK_CLIENT], values[CHECK_ENDPOINT]);
	return agent_check_run(or_default(values[CHECK_CONFIG]));
}

static int
diagnose(const struct program_command *command, int count, char **arguments)
{
	const char *values[DIAGNOSE_OPTIONS] = { 0 }, *hold;
	struct diagnose_options options = { 0 };
	int code = program_read(command, count, arguments, values, NULL, NULL);

	if (code != EX_OK)
		return code;
	hold = values[DIAGNOSE_HOLD];
	if (hold &&
	    (!number_parse(hold, &options.hold_s) || options.hold_s == 0 ||
		options.hold_s > HOLD_MOST_S))
		return program_usage(
		    "--hold wants seconds, from 1 to %d, and not %s", HOLD_MOST_S, hold);
	options.config_path = or_default(values[DIAGNOSE_CONFIG]);
	options.as_json = values[DIAGNOSE_JSON] != NULL;
	return tls_start() ? diagnose_run(&options) : EX_SOFTWARE;
}

static int
ask(const struct program_command *command, int count, char **arguments)
{
	static const struct admin_program program = { "valise-agent", agent_settings_admin_rows };

	return admin_command_run(
	    &program, paths_usual_agent_config(), agent_views, command, count, arguments);
}

/* ---- those that read their command lines themselves ---- */

static int
join(const struct program_command *command, int count, char **arguments)
{
	(void)command;
	return tls_start() ? agent_join_run(count, arguments) : EX_SOFTWARE;
}

static int
keygen(const struct program_command *command, int count, char **arguments)
{
	(void)command;
	return tls_start() ? keygen_run(count, arguments) : EX_SOFTWARE;
}

static int
probe(const struct program_command *command, int count, char **arguments)
{
	(void)command;
	return tls_start() ? probe_command_run(count, arguments) : EX_SOFTWARE;
}

static int
serve_words(int (*read)(struct agent_settings *, int, char **), int count, char **arguments)
{
	struct agent_settings settings;
	int code = tls_start() ? read(&settings, count, arguments) : EX_SOFTWARE;

	if (code == EX_SOFTWARE)
		return code;
	if (code == EX_OK)
		return serve(&settings, NULL, true, false);
	agent_settings_wipe(&settings);
	return code;
}

static int
tls(const struct program_command *command, int count, char **arguments)
{
	(void)command;
	return serve_words(oneshot_read, count, arguments);
}

static int
forward(const struct program_command *command, int count, char **arguments)
{
	(void)command;
	return serve_words(forward_command_read, count, arguments);
}

static const struct program_command commands[] = {
	{ "run", "", "serve the endpoints of the configuration until told to stop", run_options,
	    run },
	{ "check", "", "read the configuration and every file that it names, and say what is wrong",
	    check_options, check },
	{ "diagnose", "",
	    "try the way to each relay, what it says to each endpoint, and each upstream",
	    diagnose_rows, diagnose },
	{ "status", "", "ask the running agent how it is", status_options, ask },
	{ "endpoints", "", "its endpoints, and what each relay says to them", endpoints_options,
	    ask },
	{ "flows", "", "which connections are open, and how fast they are", flows_options, ask },
	{ "reload", "", "have it read its configuration again, and say whether that holds",
	    order_options, ask },
	{ "acme-rekey", "", "have it change the keys of its accounts at ACME servers",
	    order_options, ask },
	{ "init", "", "write a first configuration", agent_init_options, agent_init_run },
	{ "join", "", "make this host's agent out of the line of an invitation", join_inside_rows,
	    join },
	{ "keygen", "NAME", "make an agent's key here, and the request for its certificate",
	    keygen_rows, keygen },
	{ "probe", "tls://NAME[:PORT]", "say whether the expected key answers for a public name",
	    probe_command_options, probe },
	{ "forward", "LISTEN tls://NAME[:PORT]",
	    "take plain clients of this host to a public name, with a client certificate",
	    forward_command_options, forward },
	{ "import-ngrok", "FILE", "make a configuration out of one of ngrok's agent",
	    import_ngrok_options, import_ngrok_run },
	{ "tls", "UPSTREAM", "serve one endpoint from the command line", oneshot_options, tls },
	{ 0 },
};

int
main(int argc, char **argv)
{
	static const struct program program = { "valise-agent",
		"Serve public names from behind a firewall.",
		"valise-agent(8) and valise-agent.yml(5)", commands };

	process_open_standard();
	process_ignore_signals();
	process_harden();
	return program_main(&program, argc, argv);
}
