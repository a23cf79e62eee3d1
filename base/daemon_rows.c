/* Words and checks of the rows that daemons share. */
#include "base/daemon_rows.h"

#include <stdio.h>
#include <string.h>

#include "base/thread.h"
#include "base/units.h"

enum { WORKERS_MOST = 256 };

const char *const daemon_rows_log_levels[] = { "error", "warning", "info", "debug", NULL };
const char *const daemon_rows_log_formats[] = { "auto", "text", "json", NULL };

_Static_assert(LOG_ERROR == 0 && LOG_DEBUG == 3, "daemon_rows_log_levels follows enum log_level");
_Static_assert(LOG_AUTO == 0 && LOG_JSON == 2, "daemon_rows_log_formats follows enum log_format");

bool
daemon_rows_is_workers(const char *text, char error[256])
{
	uint64_t count;

	if (strcmp(text, "auto") == 0 ||
	    (number_parse(text, &count) && count > 0 && count <= WORKERS_MOST))
		return true;
	snprintf(error, 256, "is not a number of workers; write auto or 1 to %d", WORKERS_MOST);
	return false;
}

unsigned
daemon_rows_workers(const char *text)
{
	uint64_t count;

	return text && number_parse(text, &count) ? (unsigned)count : thread_cores();
}
