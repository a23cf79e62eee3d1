/* Tests of agent/backoff: how long an agent waits before it tries again. */
#include "agent/backoff.h"

#include "helpers.h"

static void
tries_again_at_once_the_first_time(void **state)
{
	struct backoff backoff = { 0 };

	(void)state;
	assert_int_equal(backoff_failed(&backoff, 1000), 0);
}

/* The longest of many waits, for each failure in a row: close to its bound. */
static void
spreads_each_wait_below_a_bound_that_doubles(void **state)
{
	static const uint64_t bounds[] = { 0, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000 };
	uint64_t most[COUNT(bounds)] = { 0 }, least[COUNT(bounds)];

	(void)state;
	memset(least, 0xff, sizeof least);
	for (int round = 0; round < 500; round++) {
		struct backoff backoff = { 0 };

		for (size_t i = 0; i < COUNT(bounds); i++) {
			uint64_t wait = backoff_failed(&backoff, 1000);

			most[i] = wait > most[i] ? wait : most[i];
			least[i] = wait < least[i] ? wait : least[i];
		}
	}
	for (size_t i = 0; i < COUNT(bounds); i++) {
		assert_true(most[i] <= bounds[i]);
		assert_true(most[i] >= bounds[i] * 9 / 10);
		assert_true(least[i] <= bounds[i] / 10);
	}
}

static void
forgets_only_after_a_time_of_stability(void **state)
{
	struct backoff backoff = { 0 };

	(void)state;
	backoff_failed(&backoff, 1000);
	backoff_failed(&backoff, 1000);
	backoff_up(&backoff, 2000);
	backoff_failed(&backoff, 2000 + BACKOFF_STABLE_MS - 1);
	assert_int_equal(backoff.failures, 3);
	backoff_up(&backoff, 40000);
	assert_int_equal(backoff_failed(&backoff, 40000 + BACKOFF_STABLE_MS), 0);
	assert_int_equal(backoff.failures, 1);
}

static void
is_slow_with_what_is_refused_for_good(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++) {
		uint64_t wait = backoff_permanent();

		assert_true(wait >= 270000 && wait <= 300000);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(tries_again_at_once_the_first_time),
	cmocka_unit_test(spreads_each_wait_below_a_bound_that_doubles),
	cmocka_unit_test(forgets_only_after_a_time_of_stability),
	cmocka_unit_test(is_slow_with_what_is_refused_for_good),
};
RUN_TESTS("agent/backoff", tests)
