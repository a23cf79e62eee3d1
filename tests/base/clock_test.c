/* Tests of base/clock, and of the hand that tests have on it. */
#include "base/clock.h"
#include "base/clock_fake.h"

#include "helpers.h"

static void
monotonic_time_never_goes_back(void **state)
{
	uint64_t before = clock_us();

	(void)state;
	for (int i = 0; i < 1000; i++) {
		uint64_t now = clock_us();

		assert_true(now >= before);
		before = now;
	}
	assert_true(clock_ms() >= before / 1000);
	assert_true(clock_wall_s() > 1700000000);
}

static void
stands_still_where_a_test_puts_it(void **state)
{
	(void)state;
	clock_fake(5000001, 1767225600123456);
	assert_int_equal(clock_us(), 5000001);
	assert_int_equal(clock_ms(), 5000);
	assert_int_equal(clock_wall_us(), 1767225600123456);
	assert_int_equal(clock_wall_s(), 1767225600);
	clock_fake(0, 0);
	assert_int_not_equal(clock_us(), 5000001);
	assert_true(clock_wall_s() > 1767225600 - 86400 * 365);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(monotonic_time_never_goes_back),
	cmocka_unit_test(stands_still_where_a_test_puts_it),
};

RUN_TESTS("clock", tests)
