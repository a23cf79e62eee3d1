/* A question is a number and a path, an answer the same number, what errno was, and the descriptor. */
#include "base/opener.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/file.h"
#include "base/helper.h"
#include "base/pass.h"
#include "base/sandbox_private.h"

enum { PATIENCE_MS = 5000, NUMBER_TEXT = 48 };

struct opener_question {
	uint32_t number;
	char path[PATH_MAX];
};

struct opener_answer {
	uint32_t number;
	int32_t why; /* errno; 0: the descriptor is there */
};

/* ---- the opener ---- */

/* Where the file is that was opened, whatever led to it. */
static bool
place_of(int fd, char place[PATH_MAX])
{
	char link[NUMBER_TEXT];
	ssize_t bytes;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	bytes = readlink(link, place, PATH_MAX - 1);
	if (bytes < 0)
		return false;
	place[bytes] = '\0';
	return true;
}

static bool
is_in_plan(const struct sandbox *plan, int fd)
{
	char place[PATH_MAX], folder[PATH_MAX];
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !place_of(fd, place))
		return false;
	memcpy(folder, place, sizeof folder);
	return sandbox_may_open(plan, place, dirname(folder));
}

/* Nothing waits for the writer of a FIFO. */
static int
open_judged(const struct sandbox *plan, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd >= 0 && !is_in_plan(plan, fd)) {
		close(fd);
		fd = -1;
		errno = EACCES;
	}
	return fd;
}

static void
answer(const struct sandbox *plan, int way, const struct opener_question *question)
{
	struct opener_answer said = { .number = question->number };
	int fd = open_judged(plan, question->path);

	said.why = fd < 0 ? errno : 0;
	pass_send_patiently(way, &said, sizeof said, fd);
	if (fd >= 0)
		close(fd);
}

static bool
wait_for(int way, int ms)
{
	struct pollfd end = { .fd = way, .events = POLLIN };
	int got;

	do
		got = poll(&end, 1, ms);
	while (got < 0 && errno == EINTR);
	return got > 0;
}

int
opener_run(void *plan, const int *ways, unsigned count)
{
	struct opener_question question;
	ssize_t got = 0;
	int ignored;

	while (count > 0 && wait_for(ways[0], -1)) {
		got = pass_receive(ways[0], &question, sizeof question, &ignored);
		if (ignored >= 0)
			close(ignored);
		if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR && errno != EMSGSIZE))
			break;
		if (got <= (ssize_t)offsetof(struct opener_question, path) ||
		    got > (ssize_t)sizeof question || ((char *)&question)[got - 1] != '\0')
			continue;
		answer(plan, ways[0], &question);
	}
	return 0;
}

/* ---- who asks ---- */

static struct {
	pthread_mutex_t lock;
	int way;
	uint32_t number; /* of the last question */
} asker = { .lock = PTHREAD_MUTEX_INITIALIZER, .way = -1 };

/* An answer to a question that somebody has given up is passed over. */
static int
hear(uint32_t number)
{
	uint64_t until_ms = clock_ms() + PATIENCE_MS, now_ms;
	struct opener_answer said;
	int fd = -1;

	while ((now_ms = clock_ms()) < until_ms && wait_for(asker.way, (int)(until_ms - now_ms))) {
		ssize_t got = pass_receive(asker.way, &said, sizeof said, &fd);

		if (got == 0)
			break;
		if (got == sizeof said && said.number == number) {
			errno = said.why;
			return fd;
		}
		if (fd >= 0)
			close(fd);
	}
	errno = ETIMEDOUT;
	return -1;
}

static int
ask(const char *path)
{
	struct opener_question question = { .number = ++asker.number };
	size_t bytes = strlen(path) + 1;

	if (bytes > sizeof question.path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(question.path, path, bytes);
	if (pass_send(asker.way, &question, offsetof(struct opener_question, path) + bytes, -1) < 0)
		return -1;
	return hear(question.number);
}

int
opener_open(const char *path)
{
	int fd, why;

	pthread_mutex_lock(&asker.lock);
	fd = ask(path);
	why = errno;
	pthread_mutex_unlock(&asker.lock);
	errno = why;
	return fd;
}

static struct helper *helper;

bool
opener_start(struct sandbox *plan)
{
	const struct helper_plan one = {
		.name = "opener", .ways = 1, .run = opener_run, .arg = plan
	};

	if (plan->forbidden_count == 0)
		return true;
	helper = helper_start(&one);
	if (helper)
		opener_use(helper_way(helper, 0));
	return helper;
}

void
opener_stop(void)
{
	helper_end(helper);
	helper = NULL;
}

void
opener_use(int way)
{
	asker.way = way;
	file_set_opener(opener_open);
}
