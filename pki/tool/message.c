/* Writes messages to standard error, one line each, and passes the exit code on. */
#include "pki/tool/message.h"

#include <stdarg.h>
#include <stdio.h>

static void (*diverted)(void *arg, bool failure, const char *line);
static void *diverted_arg;

void
message_divert(void (*take)(void *arg, bool failure, const char *line), void *arg)
{
	diverted = take;
	diverted_arg = arg;
}

/* prefix NULL: of a failure. */
static void __attribute__((format(printf, 2, 0)))
print_line(const char *prefix, const char *format, va_list arguments)
{
	char line[2048];

	vsnprintf(line, sizeof line, format, arguments);
	if (diverted)
		diverted(diverted_arg, !prefix, line);
	else
		fprintf(stderr, "valise-pki: %s%s\n", prefix ? prefix : "", line);
}

int
message_fail(int code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_line(NULL, format, arguments);
	va_end(arguments);
	return code;
}

void
message_warning(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_line("warning: ", format, arguments);
	va_end(arguments);
}

void
message_note(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_line("", format, arguments);
	va_end(arguments);
}

int
message_no_memory(void)
{
	return message_fail(EX_OSERR, "memory is short; nothing was changed");
}
