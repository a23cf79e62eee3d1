/*
 * valise-relay(8): routes TLS connections by the name in their ClientHello.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include "base/admin_client.h"
#include "base/log.h"
#include "base/process.h"
#include "base/secret.h"
#include "relay/check.h"
#include "relay/relay.h"
#include "relay/settings.h"
#include "tunnel/tls.h"

static const char default_path[] = VALISE_SYSCONFDIR "/valise/relay.yml";

/* From here on nobody waits for whoever reads the log. */
static int
run(const char *path)
{
	int code;

	log_start();
	code = relay_run(path);
	log_stop();
	return code;
}

static const struct admin_program program = { "valise-relay", settings_admin_rows };

static int
status(const char *path)
{
	return admin_client_run(&program, path, "status");
}

static int
reload(const char *path)
{
	return admin_client_run(&program, path, "reload");
}

static const struct {
	const char *word;
	int (*run)(const char *path);
} commands[] = {
	{ "run", run },
	{ "check", check_run },
	{ "status", status },
	{ "reload", reload },
};

static int
help(void)
{
	printf(
	    "usage: valise-relay run|check|status|reload [-c FILE]\n"
	    "\n"
	    "  run     route connections until told to stop\n"
	    "  check   check the configuration and all its files, and say what is wrong\n"
	    "  status  ask the running relay how it is\n"
	    "  reload  have the running relay read its configuration again, and say whether it holds\n"
	    "\n"
	    "  -c, --config FILE   instead of %s\n"
	    "  -h, --help\n"
	    "  -V, --version\n"
	    "\n"
	    "See valise-relay(8) and valise-relay.yml(5).\n",
	    default_path);
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
		    "usage: valise-relay run|check|status|reload [-c FILE]; see valise-relay --help\n");
	return EX_USAGE;
}

static int
run_command(const char *word, const char *path)
{
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		if (strcmp(commands[i].word, word) == 0)
			return commands[i].run(path);
	}
	return usage("a command is missing", word);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' }, { "version", no_argument, NULL, 'V' }, { 0 } };
	const char *path = default_path;
	int option;

	process_open_standard();
	process_ignore_signals();
	process_harden();
	log_init("valise-relay", LOG_INFO, LOG_AUTO);
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":c:hV", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			path = optarg;
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
	if (!tls_start()) {
		fprintf(stderr, "valise-relay: the TLS library cannot be used\n");
		return EX_SOFTWARE;
	}
	return run_command(argv[optind], path);
}
