/* Tests of base/process: descriptors 0 to 2, and signals. */
#include "base/process.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "helpers.h"

/* Runs `act` in a process of its own; how that ended, as waitpid(2) says. */
static int
ends_how(void (*act)(int arg), int arg)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		act(arg);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static bool
is_null_device(int fd)
{
	struct stat here, null;

	return fstat(fd, &here) == 0 && stat("/dev/null", &null) == 0 && S_ISCHR(here.st_mode) &&
	       here.st_rdev == null.st_rdev;
}

/* `closed`: a bit for each descriptor. */
static void
start_without(int closed)
{
	int pipe_ends[2], fd;

	if (pipe(pipe_ends) < 0)
		_exit(1);
	for (fd = 0; fd <= 2; fd++) {
		dup2(pipe_ends[1], fd);
		if (closed & 1 << fd)
			close(fd);
	}
	process_open_standard();
	for (fd = 0; fd <= 2; fd++) {
		if (is_null_device(fd) != ((closed & 1 << fd) != 0))
			_exit(2);
	}
	if (open("/dev/null", O_RDONLY) <= 2)
		_exit(3);
}

static void
opens_whatever_is_closed_of_the_standard_three(void **state)
{
	(void)state;
	for (int closed = 0; closed < 8; closed++)
		assert_int_equal(ends_how(start_without, closed), 0);
}

static void
be_a_daemon_and_get(int number)
{
	process_ignore_signals();
	raise(number);
}

static void
lives_through_what_says_nothing(void **state)
{
	static const int numbers[] = {SIGHUP, SIGPIPE, SIGALRM, SIGUSR1, SIGUSR2, SIGIO, SIGPROF,
	    SIGVTALRM, SIGSTKFLT, SIGPWR, SIGXFSZ};

	(void)state;
	for (size_t i = 0; i < COUNT(numbers); i++)
		assert_int_equal(ends_how(be_a_daemon_and_get, numbers[i]), 0);
	assert_int_equal(ends_how(be_a_daemon_and_get, SIGRTMIN), 0);
	assert_int_equal(ends_how(be_a_daemon_and_get, SIGRTMAX), 0);
}

static void
obeys_what_says_stop(void **state)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGQUIT};

	(void)state;
	for (size_t i = 0; i < COUNT(numbers); i++)
		assert_int_equal(WTERMSIG(ends_how(be_a_daemon_and_get, numbers[i])), numbers[i]);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(opens_whatever_is_closed_of_the_standard_three),
	cmocka_unit_test(lives_through_what_says_nothing),
	cmocka_unit_test(obeys_what_says_stop),
};

RUN_TESTS("process", tests)
