/* Where a passphrase may come from. */
#include "pki/tool/passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/file.h"
#include "pki/tool/message.h"

enum { PASSPHRASE_MOST = 1024, INTERRUPT = 3 };

/* The first line of what was read. */
static int
adopt_line(struct passphrase *passphrase, const uint8_t *data, size_t bytes, const char *from)
{
	const uint8_t *newline = memchr(data, '\n', bytes);
	uint8_t line[PASSPHRASE_MOST + 1] = { 0 };
	bool kept;

	if (newline)
		bytes = (size_t)(newline - data);
	if (bytes && data[bytes - 1] == '\r')
		bytes--;
	if (bytes == 0 || bytes > PASSPHRASE_MOST || memchr(data, 0, bytes))
		return message_fail(EX_DATAERR,
		    "%s: a passphrase has 1 to %d bytes and no NUL; "
		    "for keys without one say --no-password when you make them",
		    from, PASSPHRASE_MOST);
	memcpy(line, data, bytes);
	kept = secret_init(&passphrase->secret, line, bytes + 1);
	bytes_wipe(line, sizeof line);
	passphrase->known = kept;
	return kept ? 0 : message_no_memory();
}

static int
from_file(struct passphrase *passphrase, const char *path)
{
	char error[FILE_ERROR];
	struct secret file = { 0 };
	int code;

	if (!file_read_key(&file, path, 64 * 1024, error))
		return message_fail(EX_NOINPUT, "%s", error);
	code = adopt_line(passphrase, file.data, file.bytes, path);
	secret_wipe(&file);
	return code;
}

/* Byte by byte: what follows the line in a pipe may be meant for somebody else. */
static int
from_descriptor(struct passphrase *passphrase, int fd, const char *from)
{
	uint8_t line[PASSPHRASE_MOST + 2];
	size_t bytes = 0;
	ssize_t got = 0;
	int code;

	while (bytes < sizeof line && (got = read(fd, line + bytes, 1)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 || line[bytes] == '\n')
			break;
		if (line[bytes] == INTERRUPT &&
		    isatty(fd)) { /* ^C: the terminal sends no signals now */
			bytes_wipe(line, sizeof line);
			return message_fail(EX_NOINPUT, "interrupted; nothing was changed");
		}
		bytes++;
	}
	code = got < 0 ? message_fail(EX_NOINPUT, "%s: %s", from, strerror(errno))
		       : adopt_line(passphrase, line, bytes, from);
	bytes_wipe(line, sizeof line);
	return code;
}

static int
prompt(struct passphrase *passphrase, int tty, const char *what, const char *again)
{
	struct termios normal, silent;
	int code;

	if (tcgetattr(tty, &normal) < 0)
		return message_fail(EX_NOINPUT, "the terminal cannot hide a passphrase; use %s",
		    passphrase->option);
	silent = normal;
	silent.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
	silent.c_cc[VEOL] = INTERRUPT; /* so that it comes at once, not with the next line */
	tcsetattr(tty, TCSAFLUSH, &silent);
	/* not before the terminal is silent */
	dprintf(tty, "Passphrase for %s%s: ", what, again);
	code = from_descriptor(passphrase, tty, "terminal");
	tcsetattr(tty, TCSAFLUSH, &normal);
	dprintf(tty, "\n");
	return code;
}

static int
from_terminal(struct passphrase *passphrase, const char *what, bool fresh)
{
	struct passphrase again = { 0 };
	int tty = isatty(STDIN_FILENO) ? open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY) : -1, code;

	if (tty < 0)
		return message_fail(EX_NOINPUT,
		    "%s needs a passphrase and there is no terminal to ask on; "
		    "give %s FILE%s",
		    what, passphrase->option,
		    passphrase->avoidable ? ", or --no-password to keep it in clear" : "");
	code = prompt(passphrase, tty, what, "");
	if (!code && fresh)
		code = prompt(&again, tty, what, ", once more");
	if (!code && fresh &&
	    !secret_equals(&passphrase->secret, again.secret.data, again.secret.bytes))
		code = message_fail(EX_DATAERR, "the two passphrases differ; nothing was changed");
	passphrase_wipe(&again);
	close(tty);
	return code;
}

int
passphrase_need(struct passphrase *passphrase, const char *what, bool fresh)
{
	const struct common *common = passphrase->common;
	const char *credentials = passphrase->credential ? getenv("CREDENTIALS_DIRECTORY") : NULL;
	char path[PATH_MAX], from[64];

	if (passphrase->known)
		return 0;
	if (common->passphrase_file)
		return from_file(passphrase, common->passphrase_file);
	if (common->passphrase_fd) {
		snprintf(from, sizeof from, "descriptor %d", (int)common->passphrase_fd - 1);
		return from_descriptor(passphrase, (int)common->passphrase_fd - 1, from);
	}
	if (credentials) {
		snprintf(path, sizeof path, "%s/%s", credentials, passphrase->credential);
		if (access(path, F_OK) == 0)
			return from_file(passphrase, path);
	}
	return from_terminal(passphrase, what, fresh);
}

/* Five bits a character, and none that looks like another: somebody may have to type it. */
int
passphrase_generate(struct passphrase *passphrase, const char *path, bool replaces)
{
	static const char letters[] = "0123456789abcdefghjkmnpqrstvwxyz";
	char line[PASSPHRASE_GENERATED + 2], error[FILE_ERROR];
	int code;

	arc4random_buf(line, PASSPHRASE_GENERATED);
	for (size_t i = 0; i < PASSPHRASE_GENERATED; i++)
		line[i] = letters[line[i] & 31];
	line[PASSPHRASE_GENERATED] = '\n';
	line[PASSPHRASE_GENERATED + 1] = '\0';
	code = adopt_line(passphrase, (const uint8_t *)line, PASSPHRASE_GENERATED + 1, path);
	if (!code &&
	    !(replaces ? file_write : file_create)(
		path, 0600, line, PASSPHRASE_GENERATED + 1, error))
		code = message_fail(EX_CANTCREAT, "%s", error);
	if (code)
		passphrase_wipe(passphrase);
	bytes_wipe(line, sizeof line);
	return code;
}

const char *
passphrase_text(const struct passphrase *passphrase)
{
	return (const char *)passphrase->secret.data;
}

void
passphrase_wipe(struct passphrase *passphrase)
{
	secret_wipe(&passphrase->secret);
	passphrase->known = false;
}
