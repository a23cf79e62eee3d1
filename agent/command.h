/* How a command of valise-agent that is not a daemon says that it failed: on one line of standard error. */
#ifndef AGENT_COMMAND_H
#define AGENT_COMMAND_H

/* Prints the sentence behind the program's and the command's name and returns `code`, one of sysexits(3);
 * with EX_USAGE it names the manual. */
__attribute__((format(printf, 3, 4))) int command_fail(
    const char *command, int code, const char *format, ...);

#endif
