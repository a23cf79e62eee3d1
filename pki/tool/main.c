/* valise-pki(1): finds the command that is asked for, and calls it. */
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <string.h>

#include "base/process.h"
#include "base/program.h"
#include "base/secret.h"
#include "pki/tool/command.h"
#include "pki/tool/message.h"

#ifndef VALISE_VERSION
#define VALISE_VERSION "unknown"
#endif

static const struct command *const commands[] = {
	&command_init,
	&command_serve,
	&command_sub,
	&command_issue,
	&command_sign,
	&command_renew,
	&command_rekey,
	&command_invite,
	&command_revoke,
	&command_hold,
	&command_unhold,
	&command_crl,
	&command_list,
	&command_show,
	&command_verify,
	&command_check,
	&command_lint,
	&command_export,
	&command_bundle,
	&command_backup,
	&command_restore,
};

static int
print_help(void)
{
	printf(
	    "Usage: valise-pki [OPTION]... COMMAND [OPTION]...\nThe certificate authority of Valise.\n");
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		options_print_synopsis(commands[i]->usage);
	options_print_common();
	printf("\n`valise-pki COMMAND --help` tells more, valise-pki(1) everything.\n");
	return 0;
}

static int
list_commands(void)
{
	program_list_program("valise-pki", "The certificate authority of Valise.");
	options_list_common();
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		options_list(commands[i]->usage);
	return fflush(stdout) == 0 ? 0 : EX_IOERR;
}

static int
run_command(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (strcmp(argv[1], commands[i]->usage->word) == 0)
			return commands[i]->run(argc - 1, argv + 1);
	return message_fail(EX_USAGE, "'%s' is not a command; see `valise-pki --help`", argv[1]);
}

int
main(int argc, char **argv)
{
	process_open_standard();
	process_harden();
	if (argc == 2 && strcmp(argv[1], "--list-commands") == 0)
		return list_commands();
	switch (options_find_word(argc, argv)) {
	case OPTIONS_WORD:
		return run_command(argc, argv);
	case OPTIONS_NO_WORD:
		return message_fail(EX_USAGE, "what to do? see `valise-pki --help`");
	case OPTIONS_HELP:
		return print_help();
	case OPTIONS_VERSION:
		return printf("valise-pki %s\n", VALISE_VERSION) < 0 ? EX_IOERR : 0;
	case OPTIONS_WRONG:
		break;
	}
	return EX_USAGE;
}
