/* Failures of commands, told on standard error. */
#include "agent/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <sysexits.h>

int
command_fail(const char *command, int code, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "valise-agent: %s: ", command);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputs(code == EX_USAGE ? " (see valise-agent(8))\n" : "\n", stderr);
	return code;
}
