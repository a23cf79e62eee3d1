/*
 * The commands that ask a running daemon, from their command line to what they print.
 *
 * A command's options go into the question as members of the same name, but for those of
 * ADMIN_VIEW_OPTIONS and --config, which are about the answer and where it is asked for.
 *
 * What is printed: an answer with a "message", where there is no view, as that sentence, unless --json
 * was said.  Anything else by its view for people on a terminal, and elsewhere as JSON, for
 * programs; --table and --json say which.
 * With --watch again and again until the program is ended: on a terminal in one place, cut to what
 * fits, elsewhere one document a line.
 */
#ifndef BASE_ADMIN_COMMAND_H
#define BASE_ADMIN_COMMAND_H

#include "base/admin_client.h"
#include "base/admin_view.h"
#include "base/program.h"

/* `help` is of base/paths.h. */
#define ADMIN_CONFIG_OPTION(help) \
	{ \
		"config", 'c', "FILE", help, NULL, false, false \
	}
#define ADMIN_JSON_OPTION \
	{ \
		"json", 'j', NULL, "JSON, as it is where standard output is not a terminal", NULL, \
		    false, false \
	}
#define ADMIN_VIEW_OPTIONS \
	ADMIN_JSON_OPTION, PROGRAM_OPTION("table", NULL, "for people, as it is where it is one"), \
	{ \
		"watch", 'w', "SECONDS", "ask again and again, so many seconds apart", NULL, \
		    false, false \
	}

/* The program's views end with {0}; a command that has none is answered by a sentence.  The exit code, see
 * admin_client_ask() and EX_USAGE; 1 where the answer says "found": false. */
int admin_command_run(const struct admin_program *, const char *default_config,
    const struct admin_view *views, const struct program_command *, int count, char **arguments);

#endif
