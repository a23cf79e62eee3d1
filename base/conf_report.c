/* Writes messages with their place in the file. */
#include "base/conf_private.h"

#include <stdarg.h>

void
conf_error(struct conf_report *report, struct conf_mark mark, const char *format, ...)
{
	va_list args;

	if (report->errors++ >= CONF_ERRORS_MOST || !report->out)
		return;
	if (mark.line > 0)
		fprintf(report->out, "%s:%u:%u: ", report->path, mark.line, mark.column);
	else
		fprintf(report->out, "%s: ", report->path);
	va_start(args, format);
	vfprintf(report->out, format, args);
	va_end(args);
	fputc('\n', report->out);
	if (report->errors == CONF_ERRORS_MOST)
		fprintf(report->out, "%s: too many errors; mend these first\n", report->path);
}
