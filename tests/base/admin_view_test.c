/* Documents as people see them: values, order, rates. */
#include "base/admin_view.h"

#include <stdlib.h>
#include <string.h>

#include "helpers.h"

static const struct admin_column facts[] = {
	{ "state", "state", ADMIN_TEXT },
	{ "memory", "memory", ADMIN_BYTES },
	{ "ends", "renewal.ends", ADMIN_TEXT },
	{ "not there", "nothing", ADMIN_TEXT },
	{ 0 },
};
static const struct admin_column columns[] = {
	{ "FLOW", "flow", ADMIN_TEXT },
	{ "IN", "in", ADMIN_BYTES },
	{ "RATE", "rate", ADMIN_RATE },
	{ "AGE", "age_ms", ADMIN_MS },
	{ "RTT", "rtt_us", ADMIN_US },
	{ "FIRST", "ends.0.name", ADMIN_TEXT },
	{ "ENDS", "ends", ADMIN_COUNT },
	{ "OLD", "is_old", ADMIN_TEXT },
	{ 0 },
};
static const struct admin_section sections[] = { { NULL, "flows", columns }, { NULL, NULL, facts }, { 0 } };
static const struct admin_view view = {
	.sections = sections, .id = "flow", .counters = { "in", "out" }, .age = "age_ms"
};

static json_t *
document_of(const char *text)
{
	json_t *document = json_loads(text, 0, NULL);

	assert_non_null(document);
	return document;
}

static void
expect(const json_t *document, const char *wanted)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	admin_view_print(&view, document, &(struct text_table_bounds){ 0 }, out);
	fclose(out);
	assert_string_equal(text, wanted);
	free(text);
}

static void
values_are_shown_as_people_read_them(void **state)
{
	json_t *document = document_of(
	    "{\"state\": \"running\", \"memory\": 5242880, \"renewal\": {\"ends\": \"2027\"}, \"flows\": ["
	    "{\"flow\": \"a\", \"in\": 1023, \"rate\": 0, \"age_ms\": 1234, \"rtt_us\": 1500, \"ends\": [], \"is_old\": false},"
	    "{\"flow\": \"b\", \"in\": 1536, \"rate\": 2097152, \"age_ms\": 93784000, \"rtt_us\": 250,"
	    " \"ends\": [{\"name\": \"x\"}, {\"name\": \"y\"}], \"is_old\": true}]}");

	(void)state;
	expect(document,
	    "FLOW       IN       RATE    AGE     RTT  FIRST  ENDS  OLD\n"
	    "a      1023 B      0 B/s   1.2s  1.5 ms  -         0  no\n"
	    "b     1.5 KiB  2.0 MiB/s  1d02h  0.2 ms  x         2  yes\n"
	    "state:   running\n"
	    "memory:  5.0 MiB\n"
	    "ends:    2027\n");
	json_decref(document);
}

static void
expect_order(const char *member, const char *wanted)
{
	json_t *document = document_of("{\"flows\": [{\"flow\": \"c\", \"in\": 5}, {\"flow\": \"a\", \"in\": 9},"
				       "{\"flow\": \"b\", \"in\": 5}, {\"flow\": null, \"in\": 0}]}"),
	       *row;
	char order[16] = "";
	size_t i;

	assert_true(admin_view_sort(&view, document, member));
	json_array_foreach(json_object_get(document, "flows"), i, row) {
		const char *flow = json_string_value(json_object_get(row, "flow"));

		strcat(order, flow ? flow : "-");
	}
	assert_string_equal(order, wanted);
	json_decref(document);
}

static void
numbers_sort_from_the_largest_and_words_by_the_alphabet(void **state)
{
	json_t *document = document_of("{\"flows\": []}");

	(void)state;
	expect_order("in", "acb-");
	expect_order("flow", "abc-");
	assert_true(admin_view_sort(&view, document, "in"));
	assert_false(admin_view_sort(&view, document, "nothing"));
	json_decref(document);
}

static json_int_t
rate_of(const json_t *document, size_t row)
{
	return json_integer_value(
	    json_object_get(json_array_get(json_object_get(document, "flows"), row), "rate"));
}

static void
a_rate_is_what_was_gained_between_two_looks(void **state)
{
	json_t *first = document_of("{\"flows\": [{\"flow\": \"a\", \"in\": 1000, \"out\": 500, \"age_ms\": 9000},"
				    "{\"flow\": \"gone\", \"in\": 1, \"out\": 1, \"age_ms\": 1}]}");
	json_t *second = document_of("{\"flows\": [{\"flow\": \"a\", \"in\": 4000, \"out\": 1500, \"age_ms\": 11000},"
				     "{\"flow\": \"new\", \"in\": 100, \"out\": 0, \"age_ms\": 500},"
				     "{\"flow\": \"born\", \"in\": 70, \"out\": 0, \"age_ms\": 0}]}");
	json_t *counts = admin_view_counts(&view, first);

	(void)state;
	admin_view_rate(&view, second, counts, 2000);
	assert_int_equal(rate_of(second, 0), 2000);
	assert_int_equal(rate_of(second, 1), 200);
	assert_int_equal(rate_of(second, 2), 70000);
	json_decref(counts);
	json_decref(first);
	json_decref(second);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(values_are_shown_as_people_read_them),
	cmocka_unit_test(numbers_sort_from_the_largest_and_words_by_the_alphabet),
	cmocka_unit_test(a_rate_is_what_was_gained_between_two_looks),
};

RUN_TESTS("base/admin_view", tests)
