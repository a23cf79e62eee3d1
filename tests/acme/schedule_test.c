/* Tests of acme/schedule: when something is done, judged by a clock that may be wrong. */
#include "acme/schedule.h"

#include "helpers.h"

enum { DAY = 86400, FROM = 1767225600, UNTIL = FROM + 90 * DAY, DRAWS = 300 };

static void
what_has_no_certificate_is_due(void **state)
{
	const struct schedule schedule = { 0 };

	(void)state;
	assert_true(schedule_is_due(&schedule, FROM));
	assert_false(schedule_wants_window(&schedule, FROM));
	assert_int_equal(schedule_due_s(&schedule, FROM), FROM);
}

static void
a_third_before_the_end_it_is_due_each_at_a_time_of_its_own(void **state)
{
	int64_t least = INT64_MAX, most = 0;

	(void)state;
	for (int i = 0; i < DRAWS; i++) {
		struct schedule schedule = { 0 };

		schedule_take(&schedule, FROM, UNTIL);
		least = schedule.renew_s < least ? schedule.renew_s : least;
		most = schedule.renew_s > most ? schedule.renew_s : most;
		assert_false(schedule_is_due(&schedule, FROM + 56 * DAY));
		assert_true(schedule_is_due(&schedule, FROM + 60 * DAY));
	}
	assert_in_range(least, FROM + 57 * DAY, FROM + 57 * DAY + DAY / 2);
	assert_in_range(most, FROM + 60 * DAY - DAY / 2, FROM + 60 * DAY);
}

static void
the_same_certificate_keeps_its_moment(void **state)
{
	struct schedule schedule = { 0 }, before;

	(void)state;
	schedule_take(&schedule, FROM, UNTIL);
	schedule_take_failure(&schedule, ACME_FAILURE_LATER, 0, FROM);
	before = schedule;
	schedule_take(&schedule, FROM, UNTIL);
	assert_memory_equal(&schedule, &before, sizeof before);
	/* As at a restart: what failed before is known already. */
	schedule_take(&schedule, FROM + 1, UNTIL);
	assert_int_equal(schedule.failures, 1);
	assert_true(schedule_waits(&schedule, FROM + 1));
	schedule_take_issued(&schedule, FROM + 1);
	assert_false(schedule_waits(&schedule, FROM + 1));
}

static void
the_window_of_the_ca_counts(void **state)
{
	const struct acme_window window = { .from_s = FROM + 10 * DAY, .until_s = FROM + 12 * DAY };
	int64_t least = INT64_MAX, most = 0;

	(void)state;
	for (int i = 0; i < DRAWS; i++) {
		struct schedule schedule = { 0 };
		int64_t drawn;

		schedule_take(&schedule, FROM, UNTIL);
		assert_true(schedule_wants_window(&schedule, FROM));
		schedule_take_window(&schedule, &window, 0, FROM);
		drawn = schedule.renew_s;
		least = drawn < least ? drawn : least;
		most = drawn > most ? drawn : most;
		schedule_take_window(&schedule, &window, 0, FROM + DAY);
		assert_int_equal(schedule.renew_s, drawn);
	}
	assert_in_range(least, window.from_s, window.from_s + DAY / 4);
	assert_in_range(most, window.until_s - DAY / 4, window.until_s);
}

static void
but_never_until_it_is_too_late(void **state)
{
	const struct acme_window late = { .from_s = UNTIL, .until_s = UNTIL + DAY };
	const struct acme_window past = { .from_s = FROM - 2 * DAY, .until_s = FROM - DAY };
	struct schedule schedule = { 0 };

	(void)state;
	schedule_take(&schedule, FROM, UNTIL);
	schedule_take_window(&schedule, &late, 0, FROM);
	assert_int_equal(schedule.renew_s, UNTIL - 9 * DAY);
	schedule_take_window(&schedule, &past, 0, FROM);
	assert_true(schedule_is_due(&schedule, FROM));
}

static void
what_must_be_exchanged_is_due_at_once(void **state)
{
	struct schedule schedule = { 0 };

	(void)state;
	schedule_take_issued(&schedule, FROM);
	schedule_take(&schedule, FROM, UNTIL);
	schedule_hurry(&schedule);
	assert_true(schedule_is_due(&schedule, FROM));
	assert_false(schedule_wants_window(&schedule, FROM));
}

static void
a_ca_that_always_wants_it_renewed_is_not_asked_without_end(void **state)
{
	const struct acme_window past = { .from_s = FROM - 2 * DAY, .until_s = FROM - DAY };
	struct schedule schedule = { 0 };

	(void)state;
	schedule_take_issued(&schedule, FROM);
	schedule_take(&schedule, FROM, UNTIL);
	schedule_take_window(&schedule, &past, 0, FROM);
	assert_false(schedule_is_due(&schedule, FROM + SCHEDULE_REST_S - 1));
	assert_true(schedule_is_due(&schedule, FROM + SCHEDULE_REST_S));
}

static void
asks_for_the_window_as_often_as_the_ca_says(void **state)
{
	static const struct {
		uint64_t retry_after_s;
		int64_t again_s;
	} cases[] = { { 0, 6 * 3600 }, { 7200, 7200 }, { 1, 60 }, { 90 * DAY, DAY } };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct schedule schedule = { 0 };

		schedule_take(&schedule, FROM, UNTIL);
		schedule_take_window(&schedule, NULL, cases[i].retry_after_s, FROM);
		assert_false(schedule_wants_window(&schedule, FROM + cases[i].again_s - 1));
		assert_true(schedule_wants_window(&schedule, FROM + cases[i].again_s));
		assert_false(schedule_wants_window(&schedule, UNTIL));
	}
}

static void
each_failure_waits_longer_than_the_last(void **state)
{
	static const struct {
		enum acme_failure failure;
		int64_t first_s, most_s;
	} cases[] = {
		{ ACME_FAILURE_UNREACHABLE, 30, 3600 },
		{ ACME_FAILURE_LATER, 60, 6 * 3600 },
		{ ACME_FAILURE_BUSY, 30, 600 },
		{ ACME_FAILURE_INVALID, 900, DAY },
		{ ACME_FAILURE_REFUSED, 3600, DAY },
		{ ACME_FAILURE_CLOCK, 60, 600 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct schedule schedule = { 0 };
		int64_t wait_s = cases[i].first_s, now_s = FROM;

		for (int failure = 0; failure < 20; failure++) {
			schedule_take_failure(&schedule, cases[i].failure, 0, now_s);
			assert_in_range(schedule.wait_s, wait_s, wait_s + wait_s / 4);
			assert_true(schedule_waits(&schedule, now_s + schedule.wait_s - 1));
			assert_false(schedule_is_due(&schedule, now_s + schedule.wait_s - 1));
			now_s += schedule.wait_s;
			assert_true(schedule_is_due(&schedule, now_s));
			wait_s = 2 * wait_s < cases[i].most_s ? 2 * wait_s : cases[i].most_s;
		}
	}
}

static void
never_comes_back_before_the_ca_wants_it(void **state)
{
	struct schedule schedule = { 0 };

	(void)state;
	schedule_take_failure(&schedule, ACME_FAILURE_LATER, 5 * DAY, FROM);
	assert_int_equal(schedule.wait_s, 5 * DAY);
	schedule_take_failure(&schedule, ACME_FAILURE_LATER, 365 * DAY, FROM);
	assert_int_equal(schedule.wait_s, SCHEDULE_WAIT_MOST_S);
}

static void
comes_back_before_the_certificate_ends_whatever_the_ca_wants(void **state)
{
	struct schedule schedule = { 0 };

	(void)state;
	schedule_take(&schedule, FROM, UNTIL);
	schedule_take_failure(&schedule, ACME_FAILURE_LATER, 7 * DAY, UNTIL - 2 * DAY);
	assert_int_equal(schedule.wait_s, DAY);
	/* It has ended: nothing is too late any more. */
	schedule_take_failure(&schedule, ACME_FAILURE_LATER, 7 * DAY, UNTIL + 1);
	assert_int_equal(schedule.wait_s, 7 * DAY);
}

static void
a_clock_that_is_set_back_makes_nobody_wait(void **state)
{
	struct schedule schedule = { 0 };

	(void)state;
	schedule_take_failure(&schedule, ACME_FAILURE_CLOCK, 0, FROM + 3650 * (int64_t)DAY);
	assert_false(schedule_waits(&schedule, FROM));
	assert_true(schedule_is_due(&schedule, FROM));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_has_no_certificate_is_due),
		cmocka_unit_test(a_third_before_the_end_it_is_due_each_at_a_time_of_its_own),
		cmocka_unit_test(the_same_certificate_keeps_its_moment),
		cmocka_unit_test(the_window_of_the_ca_counts),
		cmocka_unit_test(but_never_until_it_is_too_late),
		cmocka_unit_test(what_must_be_exchanged_is_due_at_once),
		cmocka_unit_test(a_ca_that_always_wants_it_renewed_is_not_asked_without_end),
		cmocka_unit_test(asks_for_the_window_as_often_as_the_ca_says),
		cmocka_unit_test(each_failure_waits_longer_than_the_last),
		cmocka_unit_test(never_comes_back_before_the_ca_wants_it),
		cmocka_unit_test(comes_back_before_the_certificate_ends_whatever_the_ca_wants),
		cmocka_unit_test(a_clock_that_is_set_back_makes_nobody_wait),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("acme/schedule", tests, NULL, NULL);
}
