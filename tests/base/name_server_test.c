/* Tests of base/name_server: what the log has of a name server that does not answer. */
#include "base/name_server.h"

#include <stddef.h>

#include "base/clock_fake.h"
#include "base/log.h"
#include "helpers.h"
#include "log_heard.h"

static uint64_t now_us = 1000000000;

static void
later(uint64_t ms)
{
	now_us += ms * 1000;
	clock_fake_move(now_us);
}

static void
is_told_silent_again_and_back(void **state)
{
	const char *said;

	(void)state;
	clock_fake(now_us, 0);
	log_init("test", LOG_WARNING, LOG_TEXT);
	log_listen();
	name_server_note("a.test", NULL);
	for (int second = 0; second < 100; second++) {
		name_server_note("a.test", "cannot resolve a.test: it takes too long");
		name_server_note("of-a-file.test", NULL);
		later(1000);
	}
	name_server_note("a.test", NULL);
	name_server_note("a.test", NULL);
	said = log_heard();
	clock_fake(0, 0);
	assert_int_equal(log_lines_with(said, "warning name-server-silent: "), 2);
	assert_int_equal(log_lines_with(said, "warning name-server-answers: "), 1);
	assert_int_equal(log_lines_with(said, "host=a.test"), 3);
	assert_int_equal(log_lines_with(said, "failures=100 lasted_s=100"), 1);
}

static const struct CMUnitTest tests[] = { cmocka_unit_test(is_told_silent_again_and_back) };

RUN_TESTS("name-server", tests)
