/* Tests of agent/state: the identity of an agent over restarts. */
#include "agent/state.h"

#include <sys/wait.h>
#include <sysexits.h>

#include "helpers.h"

static int
remove_all(const char *dir)
{
	char command[128];

	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	return system(command);
}

/* The lock belongs to the process, so each opening happens in a process of its own. */
static int
open_elsewhere(const char *dir, struct agent_state *seen)
{
	int ends[2], status;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		struct agent_state state = { 0 };
		char error[FILE_ERROR];
		int code = agent_state_open(&state, dir, error);

		_exit(write(ends[1], &state, sizeof state) == sizeof state ? code : 1);
	}
	assert_int_equal(read(ends[0], seen, sizeof *seen), sizeof *seen);
	waitpid(child, &status, 0);
	close(ends[0]);
	close(ends[1]);
	return WEXITSTATUS(status);
}

static void
is_the_same_instance_with_a_new_start_after_a_restart(void **state)
{
	char dir[] = "/tmp/valise-state-XXXXXX";
	struct agent_state first, second;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(open_elsewhere(dir, &first), 0);
	assert_int_equal(open_elsewhere(dir, &second), 0);
	assert_memory_equal(first.instance, second.instance, sizeof first.instance);
	assert_memory_not_equal(first.start, second.start, sizeof first.start);
	assert_int_equal(remove_all(dir), 0);
}

static void
keeps_a_second_process_out_and_names_the_first(void **state)
{
	char dir[] = "/tmp/valise-state-XXXXXX", error[FILE_ERROR];
	struct agent_state mine, other;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(agent_state_open(&mine, dir, error), 0);
	assert_int_equal(open_elsewhere(dir, &other), EX_UNAVAILABLE);
	assert_int_equal(remove_all(dir), 0);
}

static void
refuses_a_damaged_instance(void **state)
{
	char dir[] = "/tmp/valise-state-XXXXXX", path[64];
	struct agent_state seen;
	FILE *file;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/instance", dir);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs("not hexadecimal, not at all, not!\n", file);
	fclose(file);
	assert_int_equal(open_elsewhere(dir, &seen), EX_DATAERR);
	assert_int_equal(remove_all(dir), 0);
}

static void
says_that_the_directory_cannot_be_made(void **state)
{
	char error[FILE_ERROR];
	struct agent_state seen;

	(void)state;
	assert_int_equal(agent_state_open(&seen, "/proc/nowhere", error), EX_CANTCREAT);
	assert_non_null(strstr(error, "/proc/nowhere"));
}

static void
keeps_nothing_in_one_shot(void **state)
{
	struct agent_state first, second;
	char error[FILE_ERROR];

	(void)state;
	assert_int_equal(agent_state_open(&first, NULL, error), 0);
	assert_int_equal(agent_state_open(&second, NULL, error), 0);
	assert_memory_not_equal(first.instance, second.instance, sizeof first.instance);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(is_the_same_instance_with_a_new_start_after_a_restart),
	cmocka_unit_test(keeps_a_second_process_out_and_names_the_first),
	cmocka_unit_test(refuses_a_damaged_instance),
	cmocka_unit_test(says_that_the_directory_cannot_be_made),
	cmocka_unit_test(keeps_nothing_in_one_shot),
};
RUN_TESTS("agent/state", tests)
