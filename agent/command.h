/*
 * What the commands of valise-agent that take their settings from the command line have in common: how
 * they say that they failed, on one line of standard error, and what they make of their options.
 */
#ifndef AGENT_COMMAND_H
#define AGENT_COMMAND_H

/* Prints the sentence behind the program's and the command's name and returns `code`, one of sysexits(3);
 * with EX_USAGE it names the manual. */
__attribute__((format(printf, 3, 4))) int command_fail(
    const char *command, int code, const char *format, ...);

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
