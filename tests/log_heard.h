/*
 * What the log writes to standard error while a test listens:
 *
 *	log_listen();
 *	...
 *	assert_int_equal(log_lines_with(log_heard(), "relay-up"), 1);
 */
#ifndef TESTS_LOG_HEARD_H
#define TESTS_LOG_HEARD_H

#include <assert.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int log_heard_fd = -1, log_heard_saved = -1;

static inline void
log_listen(void)
{
	log_heard_saved = dup(STDERR_FILENO);
	log_heard_fd = memfd_create("log", MFD_CLOEXEC);
	assert(log_heard_saved >= 0 && log_heard_fd >= 0);
	dup2(log_heard_fd, STDERR_FILENO);
}

/* All of it, until the next call; ends the listening. */
static inline const char *
log_heard(void)
{
	static char text[65536];
	ssize_t bytes = pread(log_heard_fd, text, sizeof text - 1, 0);

	assert(bytes >= 0);
	text[bytes] = '\0';
	dup2(log_heard_saved, STDERR_FILENO);
	close(log_heard_saved);
	close(log_heard_fd);
	return text;
}

static inline unsigned
log_lines_with(const char *text, const char *what)
{
	unsigned count = 0;

	for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
		count++;
	return count;
}

#endif
