/* Tests of base/opener: what it opens for a process that may not, and what it does not. */
#include "base/opener.h"

#include "helpers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/pass.h"
#include "base/sandbox.h"
#include "base/sandbox_private.h"
#include "skip.h"

static char dir[] = "/tmp/valise-opener.XXXXXX";
static int way = -1;
static pid_t opener;

static const char *
path(const char *name)
{
	static char whole[256];

	snprintf(whole, sizeof whole, "%s/%s", dir, name);
	return whole;
}

static void
make(const char *name)
{
	char error[FILE_ERROR];

	assert_true(file_write(path(name), 0600, name, strlen(name), error));
}

/* A folder with files and keys beneath it, one that is changed with keys beneath it, and one beside. */
static struct sandbox *
plan(void)
{
	struct sandbox *sandbox = sandbox_new();
	char config[256];

	snprintf(config, sizeof config, "%s", path("etc/relay.yml"));
	sandbox_file(sandbox, "configuration", config, SANDBOX_READ);
	sandbox_folder(sandbox, "state_dir", path("state"), SANDBOX_CHANGE);
	sandbox_folder(sandbox, "state_dir", path("state/crls"), SANDBOX_CHANGE);
	sandbox_folder(sandbox, "beside", path("beside"), SANDBOX_READ);
	sandbox_forbid(sandbox, path("etc/keys"));
	sandbox_forbid(sandbox, path("state/keys"));
	sandbox_forbid(sandbox, path("etc/old.key"));
	return sandbox;
}

static int
set_up(void **state)
{
	static const char *const folders[] = { "etc", "etc/keys", "etc/more", "state", "state/keys",
		"state/crls", "beside", "away" };
	static const char *const files[] = { "etc/relay.yml", "etc/keys/relay.key", "etc/old.key",
		"etc/more/file", "state/kept", "state/keys/agent.key", "state/crls/one", "beside/file",
		"away/file" };
	int pair[2];

	(void)state;
	if (!mkdtemp(dir) || !pass_pair(pair))
		return 1;
	for (size_t i = 0; i < COUNT(folders); i++)
		assert_int_equal(mkdir(path(folders[i]), 0700), 0);
	for (size_t i = 0; i < COUNT(files); i++)
		make(files[i]);
	assert_int_equal(symlink("keys/relay.key", path("etc/link.key")), 0);
	assert_int_equal(symlink("../beside/file", path("etc/link")), 0);
	assert_int_equal(symlink("../away/file", path("etc/link.away")), 0);
	opener = fork();
	if (opener == 0) {
		close(pair[0]);
		_exit(opener_run(plan(), &pair[1], 1));
	}
	close(pair[1]);
	way = pair[0];
	opener_use(way);
	return 0;
}

static int
tear_down(void **state)
{
	char command[64];
	int status;

	(void)state;
	close(way);
	snprintf(command, sizeof command, "rm -rf %s", dir);
	/* It ends when nobody can ask any more. */
	return waitpid(opener, &status, 0) != opener || status != 0 || system(command) != 0;
}

static bool
opens(const char *name)
{
	char text[64] = "";
	int fd = opener_open(path(name));
	bool is_fine = fd >= 0 && read(fd, text, sizeof text - 1) > 0;

	if (fd >= 0) {
		assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
		assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
		close(fd);
	} else {
		assert_true(errno == EACCES || errno == ENOENT);
	}
	return is_fine;
}

static void
opens_what_the_plan_has_and_no_key(void **state)
{
	(void)state;
	assert_true(opens("etc/relay.yml"));
	assert_true(opens("etc/../etc/relay.yml"));
	assert_true(opens("etc/link"));
	assert_true(opens("state/kept"));
	assert_true(opens("state/crls/one"));
	assert_false(opens("etc/keys/relay.key"));
	assert_false(opens("etc/old.key"));
	assert_false(opens("etc/link.key"));
	assert_false(opens("etc/../etc/keys/relay.key"));
	assert_false(opens("state/keys/agent.key"));
	assert_false(opens("away/file"));
	assert_false(opens("etc/link.away"));
	assert_false(opens("etc/missing"));
	/* Beneath a folder with something forbidden, and not directly in it. */
	assert_false(opens("etc/more/file"));
	assert_false(opens("etc"));
}

static void
goes_on_after_questions_that_are_none(void **state)
{
	char rubbish[8192];

	(void)state;
	memset(rubbish, 'x', sizeof rubbish);
	assert_true(pass_send(way, "x", 1, -1) > 0);
	assert_true(pass_send(way, "1234not ended", 13, -1) > 0);
	assert_true(pass_send(way, rubbish, sizeof rubbish, -1) > 0);
	assert_true(pass_send(way, "1234", 4, way) > 0);
	assert_true(opens("etc/relay.yml"));
}

/* In a child, since it is for good: what the sandbox does not let it open it is given. */
static int
look_around(void)
{
	struct sandbox *sandbox = plan();
	char error[SANDBOX_ERROR], sentence[FILE_ERROR];
	struct secret read = { 0 };

	if (!sandbox_enter(sandbox, error))
		return 2;
	if (open(path("etc/relay.yml"), O_RDONLY) >= 0 || open(path("etc/keys/relay.key"), O_RDONLY) >= 0 ||
	    open(path("state/keys/agent.key"), O_RDONLY) >= 0)
		return 3;
	if (!file_read(&read, path("etc/relay.yml"), 1000, sentence) ||
	    file_read(&read, path("etc/keys/relay.key"), 1000, sentence))
		return 4;
	if (!file_write(path("state/kept"), 0600, "new", 3, sentence) ||
	    !file_read(&read, path("state/kept"), 1000, sentence) ||
	    !file_write(path("state/crls/two"), 0600, "new", 3, sentence) ||
	    open(path("state/crls/two"), O_RDONLY) < 0)
		return 5;
	return 0;
}

static void
reads_for_a_process_in_the_sandbox(void **state)
{
	int status = 0;
	pid_t child;

	(void)state;
	if (sandbox_landlock_version() == 0 || SANDBOX_IS_LEFT_OUT)
		SKIP("this kernel has no Landlock");
	child = fork();
	if (child == 0)
		_exit(look_around());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(opens_what_the_plan_has_and_no_key),
	cmocka_unit_test(goes_on_after_questions_that_are_none),
	cmocka_unit_test(reads_for_a_process_in_the_sandbox),
};

int
main(void)
{
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("base/opener", tests, set_up, tear_down);
}
