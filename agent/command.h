/*
 * The commands of valise-agent that have options of their own: how their command line is
 * read against a table of rows, and how they say that they failed, on one line of standard error.
 */
#ifndef AGENT_COMMAND_H
#define AGENT_COMMAND_H

#include <stdbool.h>

/* Prints the sentence behind the program's and the command's name and returns `code`, one of sysexits(3);
 * with EX_USAGE it names the manual. */
__attribute__((format(printf, 3, 4))) int command_fail(
    const char *command, int code, const char *format, ...);

enum { COMMAND_OPTIONS_MOST = 24 };

/* An option with one value. */
struct command_option {
	const char *name; /* without its "--"; "config" is -c, too */
	bool is_required, is_file;
	int needs; /* the index of the option that must be given, too; its own: no other */
};

struct command_line {
	const char *command;
	const struct command_option *options;
	int option_count;         /* COMMAND_OPTIONS_MOST at most */
	const char *const *words; /* how to ask for each argument that is no option; NULL ends */
};

/* Fills values[i] for options[i] and given[i] for words[i], all NULL before, with what it borrows from the
 * arguments (arguments[0] is the command's word).  0, or after one line on standard error 64 or, where a
 * file cannot be read, 66. */
int command_read(const struct command_line *, int count, char **arguments, const char **values,
    const char **given);

/* --proxy, --proxy-user and --proxy-password-file; NULL where they are not given. */
struct command_proxy {
	const char *url, *user, *password_file;
};
struct fetch_proxy_settings;
/* By the rules of agent.proxy.  0, or what command_fail() returns. */
int command_check_proxy(const char *command, const struct command_proxy *);
void command_fill_proxy(struct fetch_proxy_settings *, const struct command_proxy *);

/* What the settings own, made of the command line: NULL and none of NULL.  A command begins with them, so
 * where memory is short it ends.  A list has the parts between any of the separators ("": one part). */
struct conf_texts;
char *command_copy(const char *text);
void command_list(struct conf_texts *, const char *text, const char *separators);

#endif
