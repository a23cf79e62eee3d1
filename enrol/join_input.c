/* Reads one secret line from a file, a pipe or the terminal. */
#include "enrol/join_input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

enum { INPUT_MOST = 4096, INTERRUPT = 3 };

/* A line and the empty ones before it; -1 with errno.  A terminal sends no signal for ^C meanwhile, so that
 * it does not stay silent. */
static ssize_t
read_line(int fd, char line[INPUT_MOST])
{
	size_t bytes = 0;

	while (bytes < INPUT_MOST) {
		ssize_t got = read(fd, line + bytes, 1);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got > 0 && line[bytes] == INTERRUPT) {
			errno = EINTR;
			return -1;
		}
		if (got == 0 || (line[bytes] == '\n' && bytes > 0))
			break;
		bytes += line[bytes] != '\n';
	}
	return (ssize_t)bytes;
}

static ssize_t
ask_terminal(char line[INPUT_MOST])
{
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY), why;
	struct termios normal, silent;
	ssize_t bytes = -1;

	if (tty < 0 || tcgetattr(tty, &normal) < 0) {
		if (tty >= 0)
			close(tty);
		return -1;
	}
	silent = normal;
	silent.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
	silent.c_cc[VEOL] = INTERRUPT; /* so that it comes at once, not with the next line */
	tcsetattr(tty, TCSAFLUSH, &silent);
	/* not before the terminal is silent */
	dprintf(tty, "The line of the invitation (it is not shown): ");
	bytes = read_line(tty, line);
	why = errno;
	tcsetattr(tty, TCSAFLUSH, &normal);
	dprintf(tty, "\n");
	close(tty);
	errno = why;
	return bytes;
}

static int
decode(struct join_line *out, const char *text, size_t bytes, char error[JOIN_INPUT_ERROR])
{
	const char *why;

	if (join_line_decode(out, text, bytes, &why))
		return 0;
	snprintf(error, JOIN_INPUT_ERROR, "the join line %s", why);
	return EX_DATAERR;
}

static int
read_file(struct join_line *out, const char *path, char error[JOIN_INPUT_ERROR])
{
	struct secret file = { 0 };
	int code;

	if (!file_read_key(&file, path, INPUT_MOST, error))
		return EX_NOINPUT;
	code = decode(out, (const char *)file.data, file.bytes, error);
	secret_wipe(&file);
	return code;
}

int
join_input_read(struct join_line *out, const char *path, char error[JOIN_INPUT_ERROR])
{
	char line[INPUT_MOST];
	ssize_t bytes;
	int code;

	if (path)
		return read_file(out, path, error);
	bytes = isatty(STDIN_FILENO) ? ask_terminal(line) : read_line(STDIN_FILENO, line);
	if (bytes < 0) {
		snprintf(error, JOIN_INPUT_ERROR,
		    errno == EINTR
			? "interrupted; nothing was changed"
			: "the join line cannot be read: %s; give it on standard input or "
			  "with --file",
		    strerror(errno));
		code = EX_NOINPUT;
	} else
		code = decode(out, line, (size_t)bytes, error);
	bytes_wipe(line, sizeof line);
	return code;
}
