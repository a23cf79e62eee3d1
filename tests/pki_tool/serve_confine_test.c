/* What the process that speaks HTTP can still do once it is confined: in children, since it is for good. */
#include "pki/tool/serve_confine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "skip.h"

static char dir[] = "/tmp/valise-confine.XXXXXX";

static const char *
path(const char *name)
{
	static char whole[256];

	snprintf(whole, sizeof whole, "%s/%s", dir, name);
	return whole;
}

static void
make(const char *folder, const char *file)
{
	int fd;

	assert_int_equal(mkdir(path(folder), 0700), 0);
	fd = open(path(file), O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static int
set_up(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	make("cas", "cas/root.crt");
	make("crls", "crls/root.crl");
	make("private", "private/root.key");
	return 0;
}

static int
tear_down(void **state)
{
	static const char *const names[] = { "cas/root.crt", "crls/root.crl", "private/root.key", "cas", "crls", "private", "" };

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		remove(path(names[i]));
	return 0;
}

static int
version(void)
{
	return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

/* Whether `can` succeeds in a process that is confined. */
static bool
confined_can(bool (*can)(void))
{
	int status = 0;
	pid_t child = fork();

	if (child == 0)
		_exit(serve_confine(dir) ? 2 : can() ? 0 : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
	return WEXITSTATUS(status) == 0;
}

static bool
can_open(const char *name, int flags)
{
	int fd = open(name, flags, 0600);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool
read_ca(void)
{
	return can_open(path("cas/root.crt"), O_RDONLY) && can_open(path("crls/root.crl"), O_RDONLY);
}

static bool
write_ca(void)
{
	return can_open(path("cas/root.crt"), O_WRONLY);
}

static bool
read_key(void)
{
	return can_open(path("private/root.key"), O_RDONLY);
}

static bool
read_users(void)
{
	return can_open("/etc/passwd", O_RDONLY);
}

static bool
use_null(void)
{
	return can_open("/dev/null", O_RDWR);
}

static bool
make_file(void)
{
	return can_open(path("cas/new"), O_CREAT | O_WRONLY);
}

static bool
bind_port(void)
{
	const struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		return errno != ENOSYS;
	return bind(fd, (const struct sockaddr *)&any, sizeof any) == 0 || errno != EACCES;
}

static bool
signal_parent(void)
{
	return kill(getppid(), 0) == 0;
}

static void
reads_what_is_published_and_nothing_else(void **state)
{
	(void)state;
	if (version() < 1)
		SKIP("this kernel has no Landlock, or an old one");
	assert_true(read_key() && read_users());	/* before */
	assert_true(confined_can(read_ca));
	assert_true(confined_can(use_null));
	assert_false(confined_can(read_key));
	assert_false(confined_can(read_users));
}

static void
changes_no_file(void **state)
{
	(void)state;
	if (version() < 1)
		SKIP("this kernel has no Landlock, or an old one");
	assert_false(confined_can(write_ca));
	assert_false(confined_can(make_file));
}

static void
opens_no_port_and_signals_nobody(void **state)
{
	(void)state;
	if (version() < 6)
		SKIP("this kernel has no Landlock, or an old one");
	assert_true(bind_port() && signal_parent());
	assert_false(confined_can(bind_port));
	assert_false(confined_can(signal_parent));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_is_published_and_nothing_else),
		cmocka_unit_test(changes_no_file),
		cmocka_unit_test(opens_no_port_and_signals_nobody),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("pki/tool/serve_confine", tests, set_up, tear_down);
}
