/* Tests of base/history: samples in steps, rates, gaps, and what leaves. */
#include "base/history.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "helpers.h"

static const struct history_series series[] = { { "flows", false }, { "opened", true } };

static void
has_text(const struct history *history, const char *key, const char *wanted)
{
	json_t *all = history_describe(history);
	char *text = json_dumps(json_object_get(all, key), JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));

	assert_string_equal(text, wanted);
	free(text);
	json_decref(all);
}

static void
add(struct history *history, uint64_t now_ms, double flows, double opened)
{
	history_add(history, now_ms, (const double[]){ flows, opened });
}

static void
takes_a_sample_every_two_seconds_and_makes_rates_of_sums(void **state)
{
	struct history history;

	(void)state;
	history_init(&history, series, COUNT(series));
	has_text(&history, "flows", "[]");
	add(&history, 10000, 3, 100);
	add(&history, 11001, 4, 101); /* not due */
	add(&history, 11998, 5, 130);
	add(&history, 13998, 6, 131);
	has_text(&history, "flows", "[3,5,6]");
	has_text(&history, "opened", "[null,15.02,0.5]");
	has_text(&history, "step_s", "2");
}

static void
what_was_not_seen_is_a_gap(void **state)
{
	struct history history;

	(void)state;
	history_init(&history, series, COUNT(series));
	add(&history, 1000, 1, 0);
	add(&history, 7000, 2, 600);
	add(&history, 9000, NAN, NAN);
	add(&history, 11000, 2, 600);
	has_text(&history, "flows", "[1,null,null,2,null,2]");
	/* Over the standstill the rate is known. */
	has_text(&history, "opened", "[null,null,null,100,null,null]");
	add(&history, 13000, 2, 10); /* begun anew */
	has_text(&history, "opened", "[null,null,null,100,null,null,null]");
}

static void
the_oldest_leave(void **state)
{
	struct history history;
	json_t *all;

	(void)state;
	history_init(&history, series, COUNT(series));
	for (int i = 0; i < 1000; i++)
		add(&history, 1000 + (uint64_t)i * HISTORY_STEP_MS, i, i);
	all = history_describe(&history);
	assert_int_equal(json_array_size(json_object_get(all, "flows")), HISTORY_SAMPLES);
	assert_int_equal(json_integer_value(json_array_get(json_object_get(all, "flows"), 0)),
	    1000 - HISTORY_SAMPLES);
	json_decref(all);
	add(&history, UINT64_MAX / 2, 7, 7); /* after ages */
	all = history_describe(&history);
	assert_true(json_is_null(json_array_get(json_object_get(all, "flows"), 0)));
	assert_int_equal(json_integer_value(json_array_get(json_object_get(all, "flows"),
			     HISTORY_SAMPLES - 1)),
	    7);
	json_decref(all);
}

static void
counts_what_came_within_five_minutes(void **state)
{
	struct growth growth = { 0 };
	uint64_t count[2] = { 5, 7 };

	(void)state;
	assert_int_equal(growth_of(&growth, 0), 0);
	for (uint64_t second = 0; second < 300; second++)
		growth_add(&growth, 1000 + second * 1000, count, 2);
	assert_int_equal(growth_of(&growth, 0), 5);
	count[0] = 9;
	for (uint64_t second = 300; second < 600; second++)
		growth_add(&growth, 1000 + second * 1000, count, 2);
	assert_int_equal(growth_of(&growth, 0), 4);
	assert_int_equal(growth_of(&growth, 1), 0);
	for (uint64_t second = 600; second < 620; second++)
		growth_add(&growth, 1000 + second * 1000, count, 2);
	assert_int_equal(growth_of(&growth, 0), 0);
	assert_int_equal(growth_of(&growth, 2), 0); /* nobody counts that */
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(takes_a_sample_every_two_seconds_and_makes_rates_of_sums),
	cmocka_unit_test(what_was_not_seen_is_a_gap),
	cmocka_unit_test(the_oldest_leave),
	cmocka_unit_test(counts_what_came_within_five_minutes),
};

RUN_TESTS("history", tests)
