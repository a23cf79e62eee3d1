/* The daemon's side of a helper, and the keeper that begins it. */
#include "base/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/pass.h"
#include "base/process.h"

enum {
	FIRST = STDERR_FILENO + 1, /* descriptor of a helper's first way */
	AGAIN_MS = 1000,           /* from a death to the next beginning */
	PATIENCE_MS = 1000,        /* for a helper whose daemon has gone */
	NOT_EXECUTED = 127,        /* as a shell says it */
};

struct helper {
	pid_t keeper;
	int news;
	char name[HELPER_NAME];
	char *program; /* NULL: a function of ours */
	unsigned count;
	int ways[];
};

/* What a keeper tells of a helper that has died. */
struct obituary {
	int32_t pid, status; /* as of waitpid(2) */
};

/* ---- the helper ---- */

/* As ps(1) shows it, in the place of our arguments, which are one behind the other; the
 * program's name is there, too, when this is called first. */
static void
set_title(const char *name, const char *what)
{
	static char program[32];
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	char title[64], arguments[4096];
	ssize_t room = fd >= 0 ? read(fd, arguments, sizeof arguments) : 0;

	prctl(PR_SET_NAME, name);
	if (program[0] == '\0')
		snprintf(program, sizeof program, "%s", program_invocation_short_name);
	snprintf(title, sizeof title, "%s: %s%s", program, name, what);
	if (room > 0) {
		memset(program_invocation_name, 0, (size_t)room);
		snprintf(program_invocation_name, (size_t)room, "%s", title);
	}
	if (fd >= 0)
		close(fd);
}

/* It ends with its parent, also one that was killed. */
static void
follow_parent(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EX_OK);
}

static _Noreturn void
be_helper(const struct helper_plan *plan, const int *ways, int news, pid_t keeper)
{
	char *arguments[2] = { (char *)(uintptr_t)plan->program, NULL };

	follow_parent(keeper);
	close(news);
	set_title(plan->name, "");
	if (plan->run)
		_exit(plan->run(plan->arg, ways, plan->ways));
	execve(plan->program, arguments, environ);
	_exit(NOT_EXECUTED);
}

/* ---- the keeper ---- */

/* Until a message waits for the helper.  False: the daemon has gone.  What comes by a way whose other end was
 * closed would be answered to nobody. */
static bool
wait_for_message(const int *ways, unsigned count, struct pollfd *waits)
{
	for (unsigned i = 0; i < count; i++)
		waits[1 + i] = (struct pollfd){ .fd = ways[i], .events = POLLIN };
	for (;;) {
		if (poll(waits, 1 + count, -1) < 0 && errno != EINTR)
			return false;
		if (waits[0].revents)
			return false;
		for (unsigned i = 1; i <= count; i++) {
			if (waits[i].revents & (POLLHUP | POLLERR | POLLNVAL))
				waits[i].fd = -1;
			else if (waits[i].revents & POLLIN)
				return true;
		}
	}
}

/* Until it has ended, with its status.  When the daemon has gone it has a moment to see that. */
static int
wait_for_end(pid_t pid, int news)
{
	struct pollfd waits[] = { { .fd = pidfd_open(pid, 0), .events = POLLIN },
		{ .fd = news, .events = POLLIN } };
	int status = 0;

	while (waits[0].fd >= 0 && !waits[0].revents && !waits[1].revents)
		poll(waits, 2, -1);
	if (waits[0].fd >= 0 && !waits[0].revents && poll(waits, 1, PATIENCE_MS) <= 0)
		_exit(EX_OK);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (waits[0].fd >= 0)
		close(waits[0].fd);
	return status;
}

/* One life of the helper; true if it ended well. */
static bool
live_once(const struct helper_plan *plan, const int *ways, int news)
{
	struct obituary told = { .status = EX_OSERR << 8 }; /* of one that was not to be had */
	pid_t keeper = getpid();

	told.pid = fork();
	if (told.pid == 0)
		be_helper(plan, ways, news, keeper);
	if (told.pid > 0)
		told.status = wait_for_end(told.pid, news);
	if (told.status == 0)
		return true;
	send(news, &told, sizeof told, MSG_NOSIGNAL | MSG_DONTWAIT);
	return false;
}

/* Until the daemon has gone.  `waits` has room for the news and the ways. */
static _Noreturn void
keep(const struct helper_plan *plan, const int *ways, struct pollfd *waits, int news)
{
	bool is_due = plan->is_eager;

	waits[0] = (struct pollfd){ .fd = news, .events = POLLIN };
	for (;;) {
		if (!is_due && !wait_for_message(ways, plan->ways, waits))
			_exit(EX_OK);
		is_due = false;
		if (live_once(plan, ways, news))
			continue;
		if (poll(waits, 1, AGAIN_MS) != 0)
			_exit(EX_OK);
		is_due = plan->is_eager;
	}
}

/* Moves the descriptors to FIRST and the numbers behind it, and closes all others. */
static bool
settle(int *fds, unsigned count)
{
	const int end = FIRST + (int)count;

	for (unsigned i = 0; i < count; i++)
		if (fds[i] >= 0 && (fds[i] = fcntl(fds[i], F_DUPFD, end)) < 0)
			return false;
	for (int i = 0; i < (int)count; i++) {
		if (fds[i] >= 0 && dup2(fds[i], FIRST + i) < 0)
			return false;
		if (fds[i] < 0)
			close(FIRST + i);
		else
			fds[i] = FIRST + i;
	}
	closefrom(end);
	return true;
}

/* The group's signals are for the daemon; the rest is as for any process. */
static void
set_signals(void)
{
	static const int asking[] = { SIGTERM, SIGINT, SIGQUIT };
	sigset_t none;

	process_ignore_signals();
	for (size_t i = 0; i < sizeof asking / sizeof *asking; i++)
		signal(asking[i], SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* `fds` are the other ends, what stays open, and the keeper's end of the news. */
static _Noreturn void
be_keeper(const struct helper_plan *plan, int *fds, unsigned count, pid_t daemon)
{
	struct pollfd *waits = calloc(plan->ways + 1, sizeof *waits);

	follow_parent(daemon);
	set_signals();
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	set_title(plan->name, " keeper");
	if (!waits || !settle(fds, count))
		_exit(EX_OSERR);
	keep(plan, fds, waits, fds[count - 1]);
}

/* ---- the daemon's side ---- */

static void
close_all(const int *fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* Our ends into the helper's object, the others into `others`; false with errno. */
static bool
make_ways(struct helper *helper, int *others)
{
	int pair[2];

	for (unsigned i = 0; i < helper->count; i++) {
		if (!pass_pair(pair))
			return false;
		helper->ways[i] = pair[0];
		others[i] = pair[1];
	}
	return true;
}

static struct helper *
new_helper(const struct helper_plan *plan)
{
	struct helper *helper = calloc(1, sizeof *helper + plan->ways * sizeof helper->ways[0]);

	if (!helper || (plan->program && !(helper->program = strdup(plan->program)))) {
		free(helper);
		return NULL;
	}
	helper->count = plan->ways;
	helper->news = -1;
	snprintf(helper->name, sizeof helper->name, "%s", plan->name);
	for (unsigned i = 0; i < helper->count; i++)
		helper->ways[i] = -1;
	return helper;
}

/* `fds` has room for the ways, what stays open, and the news: -1 each. */
static bool
start(struct helper *helper, const struct helper_plan *plan, int *fds, unsigned count)
{
	pid_t daemon = getpid();
	int pair[2];

	if (!make_ways(helper, fds) || !pass_pair(pair))
		return false;
	helper->news = pair[0];
	helper->keeper = fork();
	if (helper->keeper == 0) {
		for (unsigned i = 0; i < plan->keep_count; i++)
			fds[plan->ways + i] = plan->keep[i];
		fds[count - 1] = pair[1];
		be_keeper(plan, fds, count, daemon);
	}
	close(pair[1]);
	return helper->keeper > 0;
}

struct helper *
helper_start(const struct helper_plan *plan)
{
	unsigned count = plan->ways + plan->keep_count + 1;
	struct helper *helper = new_helper(plan);
	int *fds = malloc(count * sizeof *fds);
	bool is_started = false;
	int why = ENOMEM;

	for (unsigned i = 0; fds && i < count; i++)
		fds[i] = -1;
	if (helper && fds && !(is_started = start(helper, plan, fds, count)))
		why = errno;
	if (fds)
		close_all(fds, count);
	free(fds);
	if (is_started)
		return helper;
	helper_end(helper);
	errno = why;
	return NULL;
}

void
helper_end(struct helper *helper)
{
	if (!helper)
		return;
	close_all(helper->ways, helper->count);
	if (helper->news >= 0)
		close(helper->news);
	while (helper->keeper > 0 && waitpid(helper->keeper, NULL, 0) < 0 && errno == EINTR)
		;
	free(helper->program);
	free(helper);
}

int
helper_way(const struct helper *helper, unsigned number)
{
	return helper->ways[number];
}

int
helper_news(const struct helper *helper)
{
	return helper->news;
}

static void
log_death(const struct helper *helper, const struct obituary *told)
{
	bool is_killed = WIFSIGNALED(told->status);
	int exit = is_killed ? 0 : WEXITSTATUS(told->status);

	if (helper->program && exit == NOT_EXECUTED)
		log_event(LOG_WARNING, "helper-died",
		    "its program cannot be executed; install it, or see who may execute it",
		    log_str("helper", helper->name), log_str("path", helper->program));
	else if (is_killed)
		log_event(LOG_WARNING, "helper-died",
		    "a process of ours was killed: another takes its place, what it was at is lost",
		    log_str("helper", helper->name), log_i64("pid", told->pid),
		    log_i64("signal", WTERMSIG(told->status)));
	else
		log_event(LOG_WARNING, "helper-died",
		    "a process of ours has ended: another takes its place, what it was at is lost",
		    log_str("helper", helper->name), log_i64("pid", told->pid),
		    log_i64("exit", exit));
}

enum helper_event
helper_hear(struct helper *helper)
{
	struct obituary told;
	ssize_t got = recv(helper->news, &told, sizeof told, MSG_DONTWAIT);

	if (got == sizeof told) {
		log_death(helper, &told);
		return HELPER_DIED;
	}
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return HELPER_FINE;
	log_event(LOG_ERROR, "helper-lost",
	    "a process of ours has ended for good, and its keeper with it; restart the program",
	    log_str("helper", helper->name));
	return HELPER_LOST;
}
