/* Tests of base/state_file: what is said of files that cannot be written. */
#include "base/state_file.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "base/clock_fake.h"
#include "base/log.h"
#include "helpers.h"

/* What the log has had since the start of the test. */
static char said[4096];

static void
note(struct state_file *file, bool is_written)
{
	int ends[2], kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	ssize_t bytes;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	state_file_note(file, is_written, "/var/lib/x: cannot write: no room");
	dup2(kept, STDERR_FILENO);
	close(kept);
	bytes = read(ends[0], said + strlen(said), sizeof said - 1 - strlen(said));
	assert_true(bytes >= 0);
	close(ends[0]);
}

static unsigned
count_of(const char *text)
{
	unsigned count = 0;

	for (const char *at = said; (at = strstr(at, text)); at++)
		count++;
	return count;
}

static void
a_failure_and_its_end_are_told_once(void **state)
{
	struct state_file file = { 0 };

	(void)state;
	note(&file, true);
	assert_string_equal(said, "");
	for (int i = 0; i < 3; i++)
		note(&file, false);
	assert_int_equal(count_of("state-unwritten: /var/lib/x"), 1);
	for (int i = 0; i < 3; i++)
		note(&file, true);
	assert_int_equal(count_of("state-written: "), 1);
	note(&file, false);
	assert_int_equal(count_of("state-unwritten: "), 2);
}

static void
a_failure_that_goes_on_is_told_again_and_how_long(void **state)
{
	struct state_file file = { 0 };

	(void)state;
	memset(said, 0, sizeof said);
	clock_fake(1000000, 0);
	note(&file, false);
	clock_fake_move(1000000 + 59 * 1000000);
	note(&file, false);
	assert_int_equal(count_of("state-unwritten: "), 1);
	clock_fake_move(1000000 + 60 * 1000000);
	note(&file, false);
	assert_int_equal(count_of("failures=3 lasted_s=60"), 1);
	clock_fake_move(1000000 + 70 * 1000000);
	note(&file, true);
	assert_int_equal(count_of("warning state-written: "), 1);
	assert_int_equal(count_of("failures=3 lasted_s=70"), 1);
	clock_fake(0, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_failure_and_its_end_are_told_once),
		cmocka_unit_test(a_failure_that_goes_on_is_told_again_and_how_long) };

	log_init("test", LOG_INFO, LOG_TEXT);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("state-file", tests, NULL, NULL);
}
