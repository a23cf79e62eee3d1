/* Tests of base/outage: which failures are told, and that the end is. */
#include "base/outage.h"

#include "helpers.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR };

static const uint64_t began = 5 * HOUR;

/* It fails every `pace` ms for so long; in `at` are the times since its beginning at which it was told. */
static unsigned
fail_for(struct outage *outage, uint64_t pace, uint64_t how_long, uint64_t at[32])
{
	unsigned told = 0;

	for (uint64_t ms = 0; ms <= how_long; ms += pace)
		if (outage_fail(outage, "refused", began + ms)) {
			assert_in_range(told, 0, 31);
			at[told++] = ms;
		}
	return told;
}

static void
is_told_at_once_and_again_after_1_5_and_15_minutes_and_each_hour(void **state)
{
	static const uint64_t wanted[] = { 0, MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 2 * HOUR,
		3 * HOUR };
	struct outage outage = { 0 };
	uint64_t at[32];

	(void)state;
	assert_int_equal(fail_for(&outage, 10 * SECOND, 3 * HOUR + MINUTE, at), COUNT(wanted));
	for (size_t i = 0; i < COUNT(wanted); i++)
		assert_int_equal(at[i], wanted[i]);
}

static void
times_that_nobody_tried_at_are_made_up_for_by_one_line(void **state)
{
	struct outage outage = { 0 };

	(void)state;
	assert_true(outage_fail(&outage, "refused", began));
	assert_true(outage_fail(&outage, "refused", began + 2 * HOUR + MINUTE));
	assert_false(outage_fail(&outage, "refused", began + 2 * HOUR + 2 * MINUTE));
	assert_true(outage_fail(&outage, "refused", began + 3 * HOUR));
}

static void
another_kind_is_told_once(void **state)
{
	struct outage outage = { 0 };

	(void)state;
	assert_true(outage_fail(&outage, "refused", began));
	assert_true(outage_fail(&outage, "silent", began + 1));
	assert_false(outage_fail(&outage, "refused", began + 2));
	assert_false(outage_fail(&outage, "silent", began + 3));
	outage_tell_anew(&outage);
	assert_true(outage_fail(&outage, "silent", began + 4));
	assert_int_equal(outage.failures, 5);
}

/* Whoever is on the way may answer in as many ways as he likes. */
static void
kinds_without_end_are_not_told_without_end(void **state)
{
	static const char *const kinds[] = { "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k",
		"l", "m", "n", "o", "p" };
	struct outage outage = { 0 };
	unsigned told = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++)
		told += outage_fail(&outage, kinds[i], began + i);
	assert_int_equal(told, OUTAGE_KINDS);
	assert_false(outage_fail(&outage, "z", began + 100));
	assert_true(outage_fail(&outage, "z", began + MINUTE));
}

static void
its_end_says_how_long_it_was_and_the_next_one_is_told(void **state)
{
	struct outage outage = { 0 }, past;

	(void)state;
	assert_false(outage_end(&outage, &past));
	assert_int_equal(past.failures, 0);
	assert_true(outage_fail(&outage, "refused", began));
	assert_false(outage_fail(&outage, "refused", began + SECOND));
	assert_true(outage_end(&outage, &past));
	assert_int_equal(outage_field_failures(&past).value.number, 2);
	assert_int_equal(outage_field_lasted(&past, began + 90 * SECOND).value.number, 90);
	assert_false(outage_end(&outage, NULL));
	assert_true(outage_fail(&outage, "refused", began + 2 * MINUTE));
}

static void
a_first_failure_has_no_fields(void **state)
{
	struct outage outage = { 0 };

	(void)state;
	assert_true(outage_fail(&outage, "refused", began));
	assert_int_equal(outage_field_failures(&outage).kind, LOG_KIND_STRING);
	assert_null(outage_field_failures(&outage).value.string);
	assert_int_equal(outage_field_lasted(&outage, began).kind, LOG_KIND_STRING);
	assert_null(outage_field_lasted(&outage, began).value.string);
}

static void
is_calm_when_nothing_has_failed_for_a_while(void **state)
{
	struct outage outage = { 0 };

	(void)state;
	assert_false(outage_is_calm(&outage, began));
	outage_fail(&outage, "refused", began);
	outage_fail(&outage, "refused", began + SECOND);
	assert_false(outage_is_calm(&outage, began + OUTAGE_CALM_MS));
	assert_true(outage_is_calm(&outage, began + SECOND + OUTAGE_CALM_MS));
}

static void
what_may_fail_for_weeks_is_told_once_a_day(void **state)
{
	struct outage outage = { .pace = OUTAGE_DAILY };
	uint64_t at[32];

	(void)state;
	assert_int_equal(fail_for(&outage, HOUR, 3 * (uint64_t)DAY, at), 4);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(at[i], i * (uint64_t)DAY);
	outage_end(&outage, NULL);
	assert_int_equal(outage.pace, OUTAGE_DAILY);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(is_told_at_once_and_again_after_1_5_and_15_minutes_and_each_hour),
	cmocka_unit_test(times_that_nobody_tried_at_are_made_up_for_by_one_line),
	cmocka_unit_test(another_kind_is_told_once),
	cmocka_unit_test(kinds_without_end_are_not_told_without_end),
	cmocka_unit_test(its_end_says_how_long_it_was_and_the_next_one_is_told),
	cmocka_unit_test(a_first_failure_has_no_fields),
	cmocka_unit_test(is_calm_when_nothing_has_failed_for_a_while),
	cmocka_unit_test(what_may_fail_for_weeks_is_told_once_a_day),
};

RUN_TESTS("outage", tests)
