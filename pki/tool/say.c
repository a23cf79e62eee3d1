/* The tool's voice. */
#include "pki/tool/say.h"

#include <stdarg.h>
#include <stdio.h>

static void __attribute__((format(printf, 2, 0)))
say(const char *prefix, const char *format, va_list arguments)
{
	char line[2048];

	vsnprintf(line, sizeof(line), format, arguments);
	fprintf(stderr, "valise-pki: %s%s\n", prefix, line);
}

int
say_fail(int code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say("", format, arguments);
	va_end(arguments);
	return code;
}

void
say_warning(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say("warning: ", format, arguments);
	va_end(arguments);
}

void
say_note(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say("", format, arguments);
	va_end(arguments);
}

int
say_no_memory(void)
{
	return say_fail(EX_OSERR, "out of memory; nothing was changed");
}
