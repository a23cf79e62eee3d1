/* What a process can still do in the sandbox: in children, since it is for good. */
#include "base/sandbox.h"

#include "helpers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/conf.h"
#include "base/privileges.h"
#include "base/sandbox_private.h"
#include "skip.h"

static char dir[] = "/tmp/valise-sandbox.XXXXXX";

static const char *
path(const char *name)
{
	static char whole[256];

	snprintf(whole, sizeof whole, "%s/%s", dir, name);
	return whole;
}

static void
make_folder(const char *name)
{
	assert_int_equal(mkdir(path(name), 0700), 0);
}

static bool
can_open(const char *name, int flags)
{
	int fd = open(name, flags | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void
make_file(const char *name)
{
	assert_true(can_open(path(name), O_CREAT | O_WRONLY));
}

static int
set_up(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	make_folder("read");
	make_folder("change");
	make_folder("socket");
	make_folder("linked");
	make_folder("other");
	make_file("read/file");
	make_file("change/file");
	make_file("linked/file");
	make_file("other/file");
	assert_int_equal(symlink("../linked/file", path("read/link")), 0);
	return 0;
}

static int
tear_down(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof command, "rm -rf %s", dir);
	return system(command);
}

static struct sandbox *
plan(void)
{
	struct sandbox *sandbox = sandbox_new();
	char link[256];

	assert_non_null(sandbox);
	snprintf(link, sizeof link, "%s", path("read/link"));
	sandbox_host(sandbox);
	sandbox_file(sandbox, "a.file", path("read/file"), SANDBOX_READ);
	sandbox_file(sandbox, "a.link", link, SANDBOX_READ);
	sandbox_folder(sandbox, "state_dir", path("change"), SANDBOX_CHANGE);
	sandbox_file(sandbox, "socket", path("socket/it"), SANDBOX_SOCKET);
	sandbox_file(sandbox, "none", NULL, SANDBOX_READ);
	sandbox_file(sandbox, "missing", path("missing/file"), SANDBOX_READ);
	return sandbox;
}

enum depth { ENTERED, SEALED, SEALED_BUT_LISTENING };

/* Whether `can` succeeds in a process that is so deep in it. */
static bool
can_in(enum depth depth, bool (*can)(void))
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		struct sandbox *sandbox = plan();
		char error[SANDBOX_ERROR];

		if (depth == SEALED_BUT_LISTENING)
			sandbox_listening(sandbox, "forwards");
		if (!sandbox_enter(sandbox, error) || (depth > ENTERED && !sandbox_seal(sandbox, error)))
			_exit(2);
		_exit(can() ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
	return WEXITSTATUS(status) == 0;
}

static bool
has_landlock(int version)
{
	return sandbox_landlock_version() >= version && !SANDBOX_IS_LEFT_OUT;
}

static bool
has_calls(void)
{
	return !SANDBOX_IS_SANITIZED && !SANDBOX_IS_LEFT_OUT;
}

/* ---- files ---- */

static bool
read_what_is_allowed(void)
{
	return can_open(path("read/file"), O_RDONLY) && can_open(path("read/link"), O_RDONLY) &&
	    can_open("/dev/null", O_RDWR) && can_open("/proc/sys/net/ipv4/tcp_mem", O_RDONLY);
}

static bool
read_another_folder(void)
{
	return can_open(path("other/file"), O_RDONLY);
}

static bool
read_users(void)
{
	return can_open("/etc/passwd", O_RDONLY);
}

static bool
write_where_it_may_read(void)
{
	return can_open(path("read/file"), O_WRONLY);
}

static bool
make_where_it_may_read(void)
{
	return can_open(path("read/new"), O_CREAT | O_WRONLY);
}

static bool
change_state(void)
{
	char from[256], to[256];

	snprintf(from, sizeof from, "%s", path("change/new"));
	snprintf(to, sizeof to, "%s", path("change/file"));
	return can_open(from, O_CREAT | O_WRONLY | O_TRUNC) && rename(from, to) == 0 &&
	    can_open(to, O_RDWR | O_TRUNC) && mkdir(path("change/folder"), 0700) == 0 &&
	    can_open(path("change/folder/file"), O_CREAT | O_WRONLY) &&
	    unlink(path("change/folder/file")) == 0 && rmdir(path("change/folder")) == 0;
}

/* A replacement has the rights of its folder. */
static bool
read_a_replacement(void)
{
	int status;
	char command[800], name[256];

	snprintf(name, sizeof name, "%s", path("read/file"));
	snprintf(command, sizeof command, "echo new > %s.new && mv %s.new %s", name, name, name);
	status = system(command);
	return status == 0 && can_open(name, O_RDONLY);
}

static bool
make_socket(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%.100s", path(name));
	return bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
	    unlink(address.sun_path) == 0;
}

static bool
make_socket_where_it_may(void)
{
	return make_socket("socket/it");
}

static bool
make_socket_in_state(void)
{
	return make_socket("change/it");
}

static void
reads_the_folders_that_were_allowed_and_no_others(void **state)
{
	(void)state;
	if (!has_landlock(1))
		SKIP("this kernel has no Landlock");
	assert_true(read_another_folder() && read_users()); /* before */
	assert_true(can_in(ENTERED, read_what_is_allowed));
	assert_false(can_in(ENTERED, read_another_folder));
	assert_false(can_in(ENTERED, read_users));
}

static void
changes_the_folders_that_were_allowed_and_no_others(void **state)
{
	(void)state;
	if (!has_landlock(1))
		SKIP("this kernel has no Landlock");
	assert_true(can_in(ENTERED, change_state));
	assert_false(can_in(ENTERED, write_where_it_may_read));
	assert_false(can_in(ENTERED, make_where_it_may_read));
	assert_true(can_in(ENTERED, make_socket_where_it_may));
	assert_false(can_in(ENTERED, make_socket_in_state));
}

/* The parent replaces it while the child waits in the sandbox. */
static void
reads_a_file_that_was_replaced_since(void **state)
{
	int go[2], status;
	pid_t child;
	char error[SANDBOX_ERROR], byte;

	(void)state;
	assert_int_equal(pipe(go), 0);
	child = fork();
	if (child == 0) {
		struct sandbox *sandbox = plan();

		close(go[1]);
		if (!sandbox_enter(sandbox, error) || read(go[0], &byte, 1) != 1)
			_exit(2);
		_exit(can_open(path("read/file"), O_RDONLY) ? 0 : 1);
	}
	assert_true(read_a_replacement());
	assert_int_equal(write(go[1], "", 1), 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	close(go[0]);
	close(go[1]);
}

/* ---- others ---- */

static bool
bind_port(uint16_t port)
{
	const struct sockaddr_in any = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return bind(fd, (const struct sockaddr *)&any, sizeof any) == 0 || errno == EADDRINUSE;
}

static bool
bind_a_port(void)
{
	return bind_port(29999);
}

static bool
bind_to_dial(void)
{
	return bind_port(0);
}

static bool
signal_parent(void)
{
	return kill(getppid(), 0) == 0;
}

static bool
read_memory_of_parent(void)
{
	char name[64];

	snprintf(name, sizeof name, "/proc/%ld/mem", (long)getppid());
	return can_open(name, O_RDONLY);
}

static void
binds_no_port_but_to_dial(void **state)
{
	(void)state;
	if (!has_landlock(LANDLOCK_NETWORK))
		SKIP("Landlock of this kernel knows no ports");
	assert_true(bind_a_port());
	assert_false(can_in(ENTERED, bind_a_port));
	assert_true(can_in(ENTERED, bind_to_dial));
	assert_true(can_in(SEALED_BUT_LISTENING, bind_a_port));
}

static void
reaches_no_other_process(void **state)
{
	(void)state;
	if (!has_landlock(6))
		SKIP("Landlock of this kernel knows no signals");
	assert_true(signal_parent() && read_memory_of_parent());
	assert_false(can_in(ENTERED, signal_parent));
	assert_false(can_in(ENTERED, read_memory_of_parent));
}

static void
has_no_capability(void **state)
{
	(void)state;
	assert_false(can_in(ENTERED, privileges_any));
}

/* ---- system calls ---- */

static bool
is_unknown(long result)
{
	return result < 0 && errno == ENOSYS;
}

static bool
make_a_process(void)
{
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	return child > 0 || errno != ENOSYS;
}

static bool
execute(void)
{
	char *const words[] = { "true", NULL };

	execv("/bin/true", words);
	return errno != ENOSYS;
}

static bool
trace_or_other_things(void)
{
	static const long calls[] = { SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_kill,
		SYS_mount, SYS_unshare, SYS_setns, SYS_bpf, SYS_io_uring_setup, SYS_userfaultfd,
		SYS_perf_event_open, SYS_keyctl, SYS_open_by_handle_at, SYS_setuid, SYS_capset,
		SYS_execveat, SYS_clone3, SYS_symlinkat, SYS_mknodat, SYS_pidfd_getfd, SYS_chroot };

	for (size_t i = 0; i < COUNT(calls); i++)
		if (!is_unknown(syscall(calls[i], 0, 0, 0, 0, 0, 0)))
			return true;
	return !is_unknown(syscall(SYS_socket, AF_PACKET, SOCK_RAW, 0)) ||
	    !is_unknown(syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static bool
make_code(void)
{
	void *page =
	    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page == MAP_FAILED || mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0 ||
	    mmap(NULL, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static bool
begin_to_listen(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd < 0 || listen(fd, 1) == 0;
}

static bool
listen_till_told(void)
{
	struct sandbox again = { .listening_key = "forwards" };
	char error[SANDBOX_ERROR];

	return begin_to_listen() && sandbox_stop_listening(&again, error) && !begin_to_listen();
}

static void *
note_that_it_ran(void *ran)
{
	*(bool *)ran = true;
	return NULL;
}

static bool
start_a_thread(void)
{
	pthread_t thread;
	bool ran = false;

	return pthread_create(&thread, NULL, note_that_it_ran, &ran) == 0 &&
	    pthread_join(thread, NULL) == 0 && ran;
}

static void
loses_calls_that_make_processes_programs_and_code(void **state)
{
	(void)state;
	if (!has_calls())
		SKIP("this build has no list of system calls");
	assert_false(can_in(SEALED, make_a_process));
	assert_false(can_in(SEALED, execute));
	assert_false(can_in(SEALED, trace_or_other_things));
	assert_false(can_in(SEALED, make_code));
	assert_true(can_in(SEALED, start_a_thread));
	assert_true(can_in(SEALED, change_state));
}

static void
listens_only_if_that_was_said_and_until_it_stops(void **state)
{
	(void)state;
	if (!has_calls())
		SKIP("this build has no list of system calls");
	assert_true(can_in(ENTERED, begin_to_listen));
	assert_false(can_in(SEALED, begin_to_listen));
	assert_true(can_in(SEALED_BUT_LISTENING, listen_till_told));
}

/* A thread that ran before, and tries when all is sealed. */
static sem_t sealed;

static void *
try_to_listen(void *could)
{
	while (sem_wait(&sealed) < 0)
		continue;
	*(bool *)could = begin_to_listen();
	return NULL;
}

static void
holds_for_threads_that_ran_before(void **state)
{
	int status = 0;
	pid_t child;

	(void)state;
	if (!has_calls())
		SKIP("this build has no list of system calls");
	child = fork();
	if (child == 0) {
		struct sandbox *sandbox = plan();
		char error[SANDBOX_ERROR];
		pthread_t thread;
		bool could = true;

		sem_init(&sealed, 0, 0);
		if (!sandbox_enter(sandbox, error) ||
		    pthread_create(&thread, NULL, try_to_listen, &could) != 0 ||
		    !sandbox_seal(sandbox, error))
			_exit(2);
		sem_post(&sealed);
		pthread_join(thread, NULL);
		_exit(could ? 1 : 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ---- what is missing ---- */

static void
says_what_a_reload_wants_that_is_out_of_reach(void **state)
{
	struct sandbox *entered = plan(), *wanted = sandbox_new();
	char sentence[SANDBOX_ERROR] = "";

	(void)state;
	assert_false(sandbox_misses(NULL, wanted, sentence));
	qsort(entered->rules, entered->count, sizeof *entered->rules, sandbox_rule_compare);
	entered->landlock = 1;
	sandbox_file(wanted, "a.file", path("read/another"), SANDBOX_READ);
	sandbox_folder(wanted, "a.folder", path("change"), SANDBOX_READ);
	assert_false(sandbox_misses(entered, wanted, sentence));
	sandbox_file(wanted, "routes.file", path("other/file"), SANDBOX_READ);
	assert_true(sandbox_misses(entered, wanted, sentence));
	assert_non_null(strstr(sentence, "/other/file: the sandbox does not reach the folder"));
	assert_non_null(strstr(sentence, "/other"));
	assert_non_null(strstr(sentence, "restart"));
	sandbox_free(wanted);
	wanted = sandbox_new();
	sandbox_file(wanted, "a.file", path("read/file"), SANDBOX_CHANGE);
	assert_true(sandbox_misses(entered, wanted, sentence));
	assert_non_null(strstr(sentence, "allows less in"));
	sandbox_free(wanted);
	wanted = sandbox_new();
	sandbox_listening(wanted, "forwards");
	assert_false(sandbox_misses(entered, wanted, sentence));
	entered->is_sealed = true;
	assert_true(sandbox_misses(entered, wanted, sentence));
	assert_non_null(strstr(sentence, "forwards: nothing can be made to listen"));
	sandbox_free(wanted);
	sandbox_free(entered);
}

static void
says_the_same_of_one_that_it_has_heard_of(void **state)
{
	struct sandbox *entered = plan(), *wanted = sandbox_new(), *heard;
	char sentence[SANDBOX_ERROR] = "";
	json_t *document;

	(void)state;
	qsort(entered->rules, entered->count, sizeof *entered->rules, sandbox_rule_compare);
	entered->landlock = 7;
	entered->is_sealed = true;
	document = sandbox_document(entered);
	heard = sandbox_of_document(document);
	assert_non_null(heard);
	assert_int_equal(heard->count, entered->count);
	sandbox_file(wanted, "a.file", path("read/another"), SANDBOX_READ);
	assert_false(sandbox_misses(heard, wanted, sentence));
	sandbox_file(wanted, "a.file", path("read/another"), SANDBOX_CHANGE);
	assert_true(sandbox_misses(heard, wanted, sentence));
	sandbox_free(wanted);
	wanted = sandbox_new();
	sandbox_listening(wanted, "forwards");
	assert_true(sandbox_misses(heard, wanted, sentence));
	sandbox_free(heard);
	json_decref(document);
	document = json_string("nothing");
	heard = sandbox_of_document(document);
	assert_int_equal(heard->count, 0);
	sandbox_free(heard);
	json_decref(document);
	sandbox_free(wanted);
	sandbox_free(entered);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(reads_the_folders_that_were_allowed_and_no_others),
	cmocka_unit_test(changes_the_folders_that_were_allowed_and_no_others),
	cmocka_unit_test(reads_a_file_that_was_replaced_since),
	cmocka_unit_test(binds_no_port_but_to_dial),
	cmocka_unit_test(reaches_no_other_process),
	cmocka_unit_test(has_no_capability),
	cmocka_unit_test(loses_calls_that_make_processes_programs_and_code),
	cmocka_unit_test(listens_only_if_that_was_said_and_until_it_stops),
	cmocka_unit_test(holds_for_threads_that_ran_before),
	cmocka_unit_test(says_what_a_reload_wants_that_is_out_of_reach),
	cmocka_unit_test(says_the_same_of_one_that_it_has_heard_of),
};

int
main(void)
{
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("base/sandbox", tests, set_up, tear_down);
}
