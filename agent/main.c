/*
 * valise-agent(8): the commands and nothing else.
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "agent/agent.h"
#include "agent/agent_join.h"
#include "agent/check.h"
#include "agent/diagnose.h"
#include "agent/forward_command.h"
#include "agent/keygen.h"
#include "agent/oneshot.h"
#include "agent/probe_command.h"
#include "agent/settings.h"
#include "base/admin_client.h"
#include "base/log.h"
#include "base/paths.h"
#include "base/process.h"
#include "base/processes.h"
#include "base/secret.h"
#include "tunnel/tls.h"

static const char help[] =
    "usage: valise-agent run [-c FILE] [--once]\n"
    "       valise-agent check|status|reload|acme-rekey [-c FILE]\n"
    "       valise-agent check --client FILE --endpoint NAME [-c FILE]\n"
    "       valise-agent diagnose [-c FILE] [--json] [--hold SECONDS]\n"
    "       valise-agent join [--file FILE] [-c FILE] [--dir DIR] [--address HOST:PORT]\n"
    "           [--relay HOST:PORT] [--user NAME] [--key-type TYPE]\n"
    "           [--proxy URL [--proxy-user NAME --proxy-password-file FILE]]\n"
    "       valise-agent keygen [--key FILE] [--csr FILE] [--key-type p256|ed25519|rsa2048|rsa3072]\n"
    "           [--host NAME]... [--issuer CA] NAME\n"
    "       valise-agent probe --expect SPKI[,SPKI]... [--address HOST:PORT] tls://NAME[:PORT]\n"
    "       valise-agent forward LISTEN tls://NAME[:PORT] --crt FILE --key FILE --cas FILE\n"
    "           [--crls FILE] [--pin SPKI[,SPKI]...] [--address HOST:PORT] [--alpn NAME]\n"
    "           [--proxy URL [--proxy-user NAME --proxy-password-file FILE]]\n"
    "       valise-agent tls UPSTREAM --url tls://NAME [-c FILE | --relay HOST:PORT --relay-ca FILE\n"
    "           --agent-crt FILE --agent-key FILE [--relay-crl FILE]] [--crt FILE --key FILE\n"
    "           [--mutual-tls-cas FILE [--mutual-tls-crls FILE]]] [--upstream-proxy-protocol 1|2]\n"
    "           [--acme ADDRESS [--acme-directory URL] [--acme-cas FILE] [--state-dir DIR]]\n"
    "           [--proxy URL [--proxy-user NAME --proxy-password-file FILE]]\n"
    "\n"
    "  run     serve the endpoints of the configuration until told to stop\n"
    "  check   read the configuration and every file that it names, and say what is wrong\n"
    "  status  ask the running agent how it is\n"
    "  diagnose\n"
    "          try the way to each relay, what it says to each endpoint, and each upstream\n"
    "  reload  have the running agent read its configuration again, and say whether it holds\n"
    "  acme-rekey\n"
    "          have the running agent change the keys of its accounts at ACME servers\n"
    "  join    make this host's agent out of the line of an invitation\n"
    "  keygen  make an agent's key here, and the request for its certificate\n"
    "  probe   say whether the expected key answers for a public name\n"
    "  forward listen for plain clients of this host, and take them to a public name with a\n"
    "          client certificate\n"
    "  tls     serve one endpoint from the command line\n"
    "\n"
    "  -c, --config FILE   %s\n"
    "  --once              exit 77 at the first refusal for good\n"
    "  --client FILE       say whether a client with this certificate would be let in, and why\n"
    "  --endpoint NAME     by which endpoint\n"
    "  --json              one document instead of lines\n"
    "  --hold SECONDS      keep the connection to each relay, and see whether it lasts\n"
    "  -h, --help\n"
    "  -V, --version\n"
    "\n"
    "See valise-agent(8) and valise-agent.yml(5).\n";

static int
print_help(void)
{
	return printf(help, paths_agent_config_help) < 0;
}

static int
refuse_usage(const char *what, const char *value)
{
	fprintf(stderr, "valise-agent: %s%s; see valise-agent --help\n", what, value);
	return EX_USAGE;
}

/* --help may stand after the command, too, wherever an option may. */
static bool
asks_for_help(int count, char **arguments)
{
	for (int i = 1; i < count && strcmp(arguments[i], "--") != 0; i++)
		if (strcmp(arguments[i], "--help") == 0 || strcmp(arguments[i], "-h") == 0)
			return true;
	return false;
}

/* What the daemon and its questions are told. */
struct command_options {
	const char *path;
	bool once;
	const char *client, *endpoint;
	bool as_json;
	uint64_t hold_s;
};

static bool
read_seconds(const char *text, uint64_t *seconds)
{
	char *end;

	errno = 0;
	*seconds = strtoull(text, &end, 10);
	return errno == 0 && *text >= '0' && *text <= '9' && *end == '\0' && *seconds >= 1 &&
	    *seconds <= 86400;
}

/* -c FILE, and of the others those whose letters are in `own`. */
static int
read_options(int count, char **arguments, const char *own, struct command_options *out)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "once", no_argument, NULL, 'o' },
		{ "client", required_argument, NULL, 'f' },
		{ "endpoint", required_argument, NULL, 'e' },
		{ "json", no_argument, NULL, 'j' },
		{ "hold", required_argument, NULL, 'h' },
		{ 0 },
	};
	int got;

	*out = (struct command_options){ .path = paths_agent_config };
	opterr = 0;
	while ((got = getopt_long(count, arguments, ":c:", options, NULL)) != -1) {
		bool is_own = strchr(own, got) != NULL;

		if (got == 'c')
			out->path = optarg;
		else if (got == 'o' && is_own)
			out->once = true;
		else if (got == 'f' && is_own)
			out->client = optarg;
		else if (got == 'e' && is_own)
			out->endpoint = optarg;
		else if (got == 'j' && is_own)
			out->as_json = true;
		else if (got == 'h' && is_own && !read_seconds(optarg, &out->hold_s))
			return refuse_usage(
			    "--hold wants seconds, from 1 to 86400, and not ", optarg);
		else if (got == 'h' && is_own)
			continue;
		else if (got == ':')
			return refuse_usage("a value is missing after ", arguments[optind - 1]);
		else
			return refuse_usage("no such option: ", arguments[optind - 1]);
	}
	return optind < count ? refuse_usage("one word too many: ", arguments[optind]) : 0;
}

static int
serve(struct agent_settings *settings, const char *path, bool once)
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
	log_start();
	code = agent_run(&(struct agent_options){
	    .settings = settings, .config_path = path, .once = once, .processes = &processes });
	log_stop();
	processes_end(&processes);
	return code;
}

static int
run(int count, char **arguments)
{
	struct agent_settings settings;
	struct command_options options;
	int code = read_options(count, arguments, "o", &options);

	if (code != 0)
		return code;
	code = agent_settings_read(&settings, options.path, stderr);
	if (code == 0)
		return serve(&settings, options.path, options.once);
	agent_settings_wipe(&settings);
	return code;
}

static int
check(int count, char **arguments)
{
	struct command_options options;
	int code = read_options(count, arguments, "fe", &options);

	if (code != 0)
		return code;
	if (!options.client != !options.endpoint)
		return refuse_usage("--client and --endpoint come together: ",
		    options.client ? "--endpoint is missing" : "--client is missing");
	return options.client ? agent_check_client(options.path, options.client, options.endpoint)
			      : agent_check_run(options.path);
}

static int
diagnose(int count, char **arguments)
{
	struct command_options options;
	int code = read_options(count, arguments, "jh", &options);

	return code != 0 ? code
			 : diagnose_run(&(struct diagnose_options){ .config_path = options.path,
			       .as_json = options.as_json,
			       .hold_s = options.hold_s });
}

static int
ask(int count, char **arguments, const char *word)
{
	static const struct admin_program program = { "valise-agent", agent_settings_admin_rows };
	struct command_options options;
	int code = read_options(count, arguments, "", &options);

	return code != 0 ? code : admin_client_run(&program, options.path, word);
}

static int
status(int count, char **arguments)
{
	return ask(count, arguments, "status");
}

static int
reload(int count, char **arguments)
{
	return ask(count, arguments, "reload");
}

static int
acme_rekey(int count, char **arguments)
{
	return ask(count, arguments, "acme-rekey");
}

static int
serve_words(int (*read)(struct agent_settings *, int, char **), int count, char **arguments)
{
	struct agent_settings settings;
	int code = read(&settings, count, arguments);

	if (code == 0)
		return serve(&settings, NULL, true);
	agent_settings_wipe(&settings);
	return code;
}

static int
tls(int count, char **arguments)
{
	return serve_words(oneshot_read, count, arguments);
}

static int
forward(int count, char **arguments)
{
	return serve_words(forward_command_read, count, arguments);
}

static const struct agent_command {
	const char *word;
	int (*run)(int count, char **arguments);
} commands[] = {
	{ "run", run },
	{ "check", check },
	{ "diagnose", diagnose },
	{ "status", status },
	{ "reload", reload },
	{ "acme-rekey", acme_rekey },
	{ "join", agent_join_run },
	{ "keygen", keygen_run },
	{ "probe", probe_command_run },
	{ "forward", forward },
	{ "tls", tls },
};

int
main(int argc, char **argv)
{
	process_open_standard();
	process_ignore_signals();
	process_harden();
	if (argc < 2)
		return refuse_usage(
		    "which command? run, check, diagnose, status, reload, join, keygen, probe, forward or tls",
		    "");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return print_help();
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
		return puts("valise-agent " VALISE_VERSION) < 0;
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		if (strcmp(argv[1], commands[i].word) != 0)
			continue;
		if (asks_for_help(argc - 1, argv + 1))
			return print_help();
		return tls_start() ? commands[i].run(argc - 1, argv + 1) : EX_SOFTWARE;
	}
	return refuse_usage("no such command: ", argv[1]);
}
