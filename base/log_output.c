/* Standard error: whole lines, and on a terminal the footer below them. */
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "base/log_private.h"

/* What was written last is the beginning of a line. */
static atomic_bool is_torn;
/* Of the footer, as it stands on the terminal. */
static unsigned footer_rows;

/* Returns how much of it is out: less only if the rest cannot be written.  Another program that shares
 * standard error with us may have made it non-blocking. */
static size_t
write_bytes(const char *text, size_t bytes)
{
	struct pollfd room = { .fd = STDERR_FILENO, .events = POLLOUT };
	size_t at = 0;

	while (at < bytes) {
		ssize_t done = write(STDERR_FILENO, text + at, bytes - at);

		if (done < 0 && errno == EAGAIN)
			poll(&room, 1, -1);
		else if (done < 0 && errno != EINTR)
			break;
		else if (done > 0)
			at += (size_t)done;
	}
	return at;
}

size_t
log_output_write(const char *text, size_t bytes)
{
	size_t done;

	if (atomic_load(&is_torn) && write_bytes("\n", 1) == 0)
		return 0;
	done = write_bytes(text, bytes);
	atomic_store(&is_torn, done > 0 && text[done - 1] != '\n');
	return done;
}

/* ---- what stays under the lines ---- */

unsigned
log_columns(void)
{
	const char *terminal = getenv("TERM");
	struct winsize size;

	if (!terminal || strcmp(terminal, "dumb") == 0 || !isatty(STDERR_FILENO) ||
	    ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0)
		return 0;
	return size.ws_col;
}

bool
log_output_take_footer(void)
{
	char text[32];
	int bytes;

	if (footer_rows == 0)
		return false;
	bytes = snprintf(text, sizeof text, "\r\033[%uA\033[J", footer_rows);
	write_bytes(text, (size_t)bytes);
	footer_rows = 0;
	return true;
}

void
log_output_put_footer(const char *footer)
{
	write_bytes(footer, strlen(footer));
	for (; (footer = strchr(footer, '\n')); footer++)
		footer_rows++;
}
