/* Tests of base/shortage: when what has run out is told, and when its end. */
#include "base/shortage.h"

#include <errno.h>
#include "base/clock_fake.h"
#include "helpers.h"

enum { SOON = SHORTAGE_CALM_MS / 4 };

static struct shortage shortage;
static uint64_t now_us;

static int
set_up(void **state)
{
	(void)state;
	now_us = 1000000000;
	clock_fake(now_us, 0);
	shortage = (struct shortage){ 0 };
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	clock_fake(0, 0);
	return 0;
}

static void
later(uint64_t ms)
{
	now_us += ms * 1000;
	clock_fake_move(now_us);
}

static void
is_told_once_and_its_end_once(void **state)
{
	(void)state;
	assert_int_equal(shortage_ends(&shortage), 0);
	assert_true(shortage_begins(&shortage));
	assert_false(shortage_begins(&shortage));
	later(SHORTAGE_CALM_MS);
	assert_int_equal(shortage_ends(&shortage), 2);
	assert_int_equal(shortage_ends(&shortage), 0);
	assert_true(shortage_begins(&shortage));
}

static void
what_comes_and_goes_is_one(void **state)
{
	(void)state;
	assert_true(shortage_begins(&shortage));
	for (int i = 0; i < 100; i++) {
		later(SOON);
		assert_int_equal(shortage_ends(&shortage), 0);
		assert_false(shortage_begins(&shortage));
	}
	later(SHORTAGE_CALM_MS - 1);
	assert_int_equal(shortage_ends(&shortage), 0);
	later(1);
	assert_int_equal(shortage_ends(&shortage), 101);
}

static void
is_told_again_when_it_goes_on(void **state)
{
	unsigned told = 0;

	(void)state;
	assert_true(shortage_begins(&shortage));
	assert_false(shortage_is_due(&shortage));
	for (int second = 1; second <= 3600; second++) {
		later(1000);
		assert_false(shortage_begins(&shortage));
		told += shortage_is_due(&shortage);
	}
	assert_int_equal(told, 4); /* after 1, 5 and 15 minutes, and an hour */
	later(SHORTAGE_CALM_MS);
	assert_int_equal(shortage_ends(&shortage), 3601);
	assert_int_equal(shortage_lasted_s(&shortage), 3600);
	assert_true(shortage_begins(&shortage));
	assert_int_equal(shortage_lasted_s(&shortage), 0);
	later(60000);
	assert_true(shortage_is_due(&shortage));
}

static void
knows_what_a_host_runs_out_of(void **state)
{
	static const int ours[] = { EMFILE, ENFILE, ENOMEM, ENOBUFS, EADDRNOTAVAIL };
	static const int theirs[] = { ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, EAGAIN, EACCES, 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(ours); i++)
		assert_true(shortage_is(ours[i]));
	for (size_t i = 0; i < COUNT(theirs); i++)
		assert_false(shortage_is(theirs[i]));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(is_told_once_and_its_end_once, set_up, tear_down),
	cmocka_unit_test_setup_teardown(what_comes_and_goes_is_one, set_up, tear_down),
	cmocka_unit_test_setup_teardown(is_told_again_when_it_goes_on, set_up, tear_down),
	cmocka_unit_test(knows_what_a_host_runs_out_of),
};

RUN_TESTS("shortage", tests)
