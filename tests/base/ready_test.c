/* Tests of base/ready: the service manager and the lock. */
#include "base/ready.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/pass.h"
#include "base/socket.h"
#include "helpers.h"

static char error[512];

static void
tells_the_manager_what_is(void **state)
{
	char directory[] = "/tmp/valise-ready-XXXXXX", path[64], text[256] = "";
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)state;
	ready_tell("READY=1", NULL);	/* nobody listens, nothing happens */
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof path, "%s/notify", directory);
	memcpy(name.sun_path, path, strlen(path) + 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
	setenv("NOTIFY_SOCKET", path, 1);
	ready_tell("READY=1", "serving 3 names");
	assert_true(recv(fd, text, sizeof text - 1, 0) > 0);
	assert_memory_equal(text, "READY=1\nSTATUS=serving 3 names\nMONOTONIC_USEC=", 46);
	unsetenv("NOTIFY_SOCKET");
	close(fd);
	unlink(path);
	rmdir(directory);
}

static void
never_waits_for_a_manager_that_reads_nothing(void **state)
{
	char directory[] = "/tmp/valise-ready-XXXXXX", path[64];
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof path, "%s/notify", directory);
	memcpy(name.sun_path, path, strlen(path) + 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
	setenv("NOTIFY_SOCKET", path, 1);
	alarm(10);
	for (int i = 0; i < 3000; i++)
		ready_tell(NULL, "busy");
	ready_tell("STOPPING=1", NULL);
	alarm(0);
	unsetenv("NOTIFY_SOCKET");
	close(fd);
	unlink(path);
	rmdir(directory);
}

static void
tells_a_manager_of_an_abstract_name(void **state)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char path[64], text[256] = "";

	(void)state;
	snprintf(path, sizeof path, "@valise-ready-%ld", (long)getpid());
	memcpy(name.sun_path + 1, path + 1, strlen(path + 1));
	assert_int_equal(bind(fd, (struct sockaddr *)&name,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path))), 0);
	setenv("NOTIFY_SOCKET", path, 1);
	ready_tell("READY=1", NULL);
	assert_true(recv(fd, text, sizeof text - 1, MSG_DONTWAIT) > 0);
	assert_memory_equal(text, "READY=1\nMONOTONIC_USEC=", 23);
	unsetenv("NOTIFY_SOCKET");
	close(fd);
}

static void
gives_the_manager_what_it_is_to_keep(void **state)
{
	char directory[] = "/tmp/valise-ready-XXXXXX", path[64], text[256] = "";
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), kept;
	struct address address;
	int listener;

	(void)state;
	address_parse(&address, "127.0.0.1:0");
	listener = socket_listen(&address, LISTEN_ALONE, error);
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof path, "%s/notify", directory);
	memcpy(name.sun_path, path, strlen(path) + 1);
	assert_int_equal(bind(manager, (struct sockaddr *)&name, sizeof name), 0);
	ready_store(listener);	/* there is none, nothing happens */
	setenv("NOTIFY_SOCKET", path, 1);
	ready_store(listener);
	ready_store_forget();
	unsetenv("NOTIFY_SOCKET");
	assert_true(pass_receive(manager, text, sizeof text - 1, &kept) > 0);
	assert_string_equal(text, "FDSTORE=1\nFDNAME=listener");
	address = socket_local(listener);
	assert_true(socket_listens_at(kept, &address));
	memset(text, 0, sizeof text);
	assert_true(pass_receive(manager, text, sizeof text - 1, &kept) > 0);
	assert_string_equal(text, "FDSTOREREMOVE=1\nFDNAME=listener");
	assert_int_equal(kept, -1);
	close(listener);
	close(manager);
	unlink(path);
	rmdir(directory);
}

/* In a child: the descriptors must stand at 3 and on, and the environment name this process. */
static int
take_passed_listeners(void)
{
	struct address a, b, other;
	char pid[32];
	int first, second;

	address_parse(&a, "127.0.0.1:0");
	first = socket_listen(&a, LISTEN_ALONE, error);
	second = socket_listen(&a, LISTEN_ALONE, error);
	a = socket_local(first);
	b = socket_local(second);
	address_parse(&other, "127.0.0.1:1");
	if (dup2(first, 40) < 0 || dup2(second, 41) < 0 || dup2(40, 3) < 0 || dup2(41, 4) < 0)
		return 1;
	snprintf(pid, sizeof pid, "%ld", (long)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "2", 1);
	if (ready_listener(&other) != -1)
		return 2;
	if (ready_listener(&b) != 4 || ready_listener(&b) != -1)
		return 3;
	if (ready_listener(&a) != 3 || ready_listener(&a) != -1)
		return 4;
	return (fcntl(3, F_GETFD) & FD_CLOEXEC) != 0 && (fcntl(3, F_GETFL) & O_NONBLOCK) != 0 ? 0
											      : 5;
}

static void
gives_each_passed_listener_once(void **state)
{
	int status;
	pid_t child;

	(void)state;
	child = fork();
	if (child == 0)
		_exit(take_passed_listeners());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void
has_no_listeners_without_a_manager(void **state)
{
	struct address address;

	(void)state;
	assert_true(address_parse(&address, "127.0.0.1:443"));
	assert_int_equal(ready_listener(&address), -1);
}

static void
a_second_instance_is_told_who_was_first(void **state)
{
	char directory[] = "/tmp/valise-lock-XXXXXX", path[64];
	long holder = -1;
	int status;
	pid_t child;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof path, "%s/lock", directory);
	assert_true(ready_lock(path, &holder, error));
	child = fork();
	if (child == 0)
		_exit(ready_lock(path, &holder, error) || holder != (long)getppid() ||
		    !strstr(error, "another instance (pid "));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	unlink(path);
	rmdir(directory);
}

/* In a child, which gets the lock of its parent, and goes on when that has let go of it. */
static int
take_over_lock(const char *path, const char *other_path, int fd)
{
	long holder = 0;

	if (ready_lock_adopt(dup(STDERR_FILENO), path) || ready_lock_adopt(dup(fd), other_path))
		return 1;
	if (!ready_lock_adopt(dup(fd), path))
		return 2;
	close(fd);
	if (ready_lock(path, &holder, error) || holder != getpid())
		return 3;
	ready_lock_forget();
	return 0;
}

static void
a_lock_is_passed_on_and_is_never_nobodys(void **state)
{
	char directory[] = "/tmp/valise-lock-XXXXXX", path[64], other_path[64];
	long holder = -1;
	int status;
	pid_t child;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof path, "%s/lock", directory);
	snprintf(other_path, sizeof other_path, "%s/other", directory);
	assert_true(ready_lock(other_path, &holder, error));
	assert_true(ready_lock(path, &holder, error));
	child = fork();
	if (child == 0)
		_exit(take_over_lock(path, other_path, ready_lock_descriptor()));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_false(ready_lock(path, &holder, error));	/* it is still ours, too */
	assert_int_equal(holder, child);
	ready_lock_forget();
	assert_int_equal(ready_lock_descriptor(), -1);
	assert_true(ready_lock(path, &holder, error));
	unlink(path);
	unlink(other_path);
	rmdir(directory);
}

static void
says_why_a_lock_cannot_be_had(void **state)
{
	long holder = -1;

	(void)state;
	assert_false(ready_lock("/nonexistent/lock", &holder, error));
	assert_int_equal(holder, 0);
	assert_non_null(strstr(error, "/nonexistent/lock: cannot lock: No such file or directory"));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(tells_the_manager_what_is),
	cmocka_unit_test(never_waits_for_a_manager_that_reads_nothing),
	cmocka_unit_test(tells_a_manager_of_an_abstract_name),
	cmocka_unit_test(gives_the_manager_what_it_is_to_keep),
	cmocka_unit_test(gives_each_passed_listener_once),
	cmocka_unit_test(has_no_listeners_without_a_manager),
	cmocka_unit_test(a_second_instance_is_told_who_was_first),
	cmocka_unit_test(a_lock_is_passed_on_and_is_never_nobodys),
	cmocka_unit_test(says_why_a_lock_cannot_be_had),
};

RUN_TESTS("ready", tests)
