/*
 * valise-relay(8): routes TLS connections by the name in their ClientHello.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include "base/admin_client.h"
#include "base/log.h"
#include "base/paths.h"
#include "base/process.h"
#include "base/processes.h"
#include "base/secret.h"
#include "relay/check.h"
#include "relay/relay.h"
#include "relay/relay_join.h"
#include "relay/settings.h"
#include "tunnel/tls.h"

struct order {
	const char *path; /* the configuration */
	bool takes_over;
};

/* From log_start() on nobody waits for whoever reads the log; it is a thread, before which
 * processes begin. */
static int
run(const struct order *line)
{
	struct processes processes;
	int code;

	if (!processes_start(&processes)) {
		fprintf(
		    stderr, "valise-relay: the system refuses a process: %s\n", strerror(errno));
		return EX_OSERR;
	}
	log_start();
	code = relay_run(line->path, line->takes_over, &processes);
	log_stop();
	processes_end(&processes);
	return code;
}

static const struct admin_program program = { "valise-relay", settings_admin_rows };

static int
check(const struct order *line)
{
	return check_run(line->path);
}

static int
status(const struct order *line)
{
	return admin_client_run(&program, line->path, "status");
}

static int
reload(const struct order *line)
{
	return admin_client_run(&program, line->path, "reload");
}

static const struct {
	const char *word;
	int (*run)(const struct order *);
	bool may_take_over;
} commands[] = {
	{ "run", run, true },
	{ "check", check, false },
	{ "status", status, false },
	{ "reload", reload, false },
};

static int
help(void)
{
	printf(
	    "usage: valise-relay run [--takeover] [-c FILE]\n"
	    "       valise-relay check|status|reload [-c FILE]\n"
	    "       valise-relay join [--file FILE] [-c FILE] [--dir DIR] [--address HOST:PORT]\n"
	    "           [--user NAME] [--key-type TYPE]\n"
	    "\n"
	    "  run     route connections until told to stop\n"
	    "  check   check the configuration and all its files, and say what is wrong\n"
	    "  status  ask the running relay how it is\n"
	    "  reload  have the running relay read its configuration again, and say whether it holds\n"
	    "  join    make this host's relay out of the line of an invitation\n"
	    "\n"
	    "  -c, --config FILE   %s\n"
	    "      --takeover      from the relay that runs, if there is one: no connection is refused meanwhile\n"
	    "  -h, --help\n"
	    "  -V, --version\n"
	    "\n"
	    "See valise-relay(8) and valise-relay.yml(5).\n",
	    paths_relay_config_help);
	return EX_OK;
}

static int
version(void)
{
	puts("valise-relay " VALISE_VERSION);
	return EX_OK;
}

static int
usage(const char *what, const char *word)
{
	if (what)
		fprintf(stderr, "valise-relay: %s '%s'; see valise-relay --help\n", what, word);
	else
		fprintf(stderr,
		    "usage: valise-relay run|check|status|reload|join [-c FILE]; see valise-relay --help\n");
	return EX_USAGE;
}

static int
run_command(const char *word, const struct order *line)
{
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		if (strcmp(commands[i].word, word) != 0)
			continue;
		if (line->takes_over && !commands[i].may_take_over)
			return usage("--takeover goes with 'run' only, and not with", word);
		return commands[i].run(line);
	}
	return usage("a command is missing", word);
}

static int
start_tls(void)
{
	if (tls_start())
		return EX_OK;
	fprintf(stderr, "valise-relay: the TLS library cannot be used\n");
	return EX_SOFTWARE;
}

/* It has options of its own. */
static int
join(int argc, char **argv)
{
	int code;

	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return help();
	code = start_tls();
	return code == EX_OK ? relay_join_run(argc, argv) : code;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' },
		{ "takeover", no_argument, NULL, 't' }, { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' }, { 0 } };
	struct order line = { .path = paths_relay_config };
	int option;

	process_open_standard();
	process_ignore_signals();
	process_harden();
	log_init("valise-relay", LOG_INFO, LOG_AUTO);
	if (argc > 1 && strcmp(argv[1], "join") == 0)
		return join(argc - 1, argv + 1);
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":c:hV", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			line.path = optarg;
			break;
		case 't':
			line.takes_over = true;
			break;
		case 'h':
			return help();
		case 'V':
			return version();
		case ':':
			return usage("a value is missing after", argv[optind - 1]);
		case '?':
			return usage("no such option:", argv[optind - 1]);
		}
	}
	if (optind + 1 != argc)
		return optind == argc ? usage(NULL, NULL)
				      : usage("one word too many:", argv[optind + 1]);
	option = start_tls();
	return option == EX_OK ? run_command(argv[optind], &line) : option;
}
