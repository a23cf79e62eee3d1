/* Tests of base/page: what is published, and what needs attention. */
#include "base/page.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/upstream_group.h"
#include "helpers.h"

enum { DAY = 86400, NOW = 1767225600 };

static json_t *
rows_of(const struct page_part *part, json_t **document)
{
	*document = json_loads(part->text, 0, NULL);
	assert_non_null(*document);
	return json_object_get(*document, "rows");
}

static json_t *
document_of(int rows)
{
	json_t *list = json_array();

	for (int i = 0; i < rows; i++)
		json_array_append_new(list, json_pack("[i, s]", i, "a row of some length"));
	return json_pack("{s:i, s:o}", "total", rows, "rows", list);
}

static void
a_part_is_told_when_it_has_changed_and_without_the_rows_that_do_not_fit(void **state)
{
	struct page_part part = { .word = "agents", .most = 1000 };
	json_t *document, *rows;
	const char *before;

	(void)state;
	page_tell(&part, NULL, document_of(3));
	assert_int_equal(json_array_size(rows_of(&part, &document)), 3);
	json_decref(document);
	before = part.text;
	page_tell(&part, NULL, document_of(3));
	assert_ptr_equal(part.text, before);
	page_tell(&part, NULL, NULL);
	assert_ptr_equal(part.text, before);

	page_tell(&part, NULL, document_of(10000));
	assert_in_range(strlen(part.text), 800, 1000);
	rows = rows_of(&part, &document);
	assert_int_equal(json_integer_value(json_array_get(json_array_get(rows, 0), 0)), 0);
	assert_int_equal(json_integer_value(json_object_get(document, "total")), 10000);
	json_decref(document);

	/* Nothing is left to be dropped. */
	part.most = 5;
	before = part.text;
	page_tell(&part, NULL, document_of(2));
	assert_ptr_equal(part.text, before);
	page_part_wipe(&part);
	assert_null(part.text);
}

static void
says_how_near_an_end_is_by_the_life_that_it_ends(void **state)
{
	static const struct {
		int64_t life, left;
		const char *level;
	} cases[] = {
		{ 90 * DAY, 31 * DAY, "" },
		{ 90 * DAY, 29 * DAY, "warning" },
		{ 90 * DAY, 7 * DAY + 1, "warning" },
		{ 90 * DAY, 7 * DAY - 1, "error" },
		{ 14 * DAY, 5 * DAY, "" },
		{ 14 * DAY, 4 * DAY, "warning" },
		{ 14 * DAY, DAY, "error" },
		{ 3650 * DAY, 31 * DAY, "" }, /* of a CA that lives ten years */
		{ 3650 * DAY, 29 * DAY, "warning" },
		{ 90 * DAY, 0, "error" },
		{ 90 * DAY, -DAY, "error" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_string_equal(page_end_level(NOW + cases[i].left - cases[i].life,
					NOW + cases[i].left, NOW),
		    cases[i].level);
	assert_string_equal(page_end_level(0, NOW + 11 * DAY, NOW), "");
	assert_string_equal(page_end_level(0, NOW + 9 * DAY, NOW), "warning");
	assert_string_equal(page_end_level(0, NOW + 2 * DAY, NOW), "error");
}

static const char *
text_in(const json_t *list, size_t index, const char *key)
{
	const char *text = json_string_value(json_object_get(json_array_get(list, index), key));

	assert_non_null(text);
	return text;
}

static void
what_ends_first_comes_first_and_needs_attention(void **state)
{
	static struct page_endings endings;
	json_t *attention = json_array(), *list;

	(void)state;
	assert_true(page_endings_begin(&endings, 1000));
	page_endings_add(&endings,
	    &(struct ending){ "connect.agent_cas", "CN=late", NOW - DAY, NOW + 900 * DAY, false });
	page_endings_add(&endings,
	    &(struct ending){ "connect.certificate", "relay.crt", NOW - 85 * DAY, NOW + 5 * DAY, false });
	assert_false(page_endings_begin(&endings, 1000 + PAGE_ENDINGS_MS - 1));
	list = page_endings_describe(&endings, NOW, attention);
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(text_in(list, 0, "what"), "connect.certificate");
	assert_string_equal(text_in(list, 0, "level"), "error");
	assert_string_equal(text_in(list, 1, "level"), "");
	assert_int_equal(json_array_size(attention), 1);
	assert_string_equal(text_in(attention, 0, "text"),
	    "connect.certificate (relay.crt) ends on 2026-01-06T00:00:00Z");
	json_decref(list);
	json_decref(attention);
	assert_true(page_endings_begin(&endings, 1000 + PAGE_ENDINGS_MS));
	assert_int_equal(endings.count, 0);
}

static void
a_limit_needs_attention_when_nine_tenths_of_it_are_used(void **state)
{
	json_t *attention = json_array(), *limits = json_array();

	(void)state;
	page_limit(limits, "flows", PAGE_COUNT, 89, 100, attention);
	page_limit(limits, "sessions", PAGE_COUNT, 5, 0, attention); /* no bound */
	assert_int_equal(json_array_size(attention), 0);
	page_limit(limits, "hellos", PAGE_COUNT, 90, 100, attention);
	assert_int_equal(json_array_size(attention), 1);
	assert_int_equal(json_array_size(limits), 3);
	for (int i = 0; i < 1000; i++)
		page_attend(attention, "error", "one more");
	assert_in_range(json_array_size(attention), 2, 50);
	json_decref(attention);
	json_decref(limits);
}

static void
the_median_is_of_what_came_since(void **state)
{
	struct page_median median = { 0 };
	struct histogram_sum sum = { 0 };
	struct histogram one = { 0 };
	double before;

	(void)state;
	assert_true(isnan(page_median(&median, HISTOGRAM_SHORT, &sum)));
	for (int i = 0; i < 10; i++)
		histogram_add(&one, HISTOGRAM_SHORT, 1000000);
	histogram_sum(&sum, &one);
	before = page_median(&median, HISTOGRAM_SHORT, &sum);
	assert_true(before > 100000);
	assert_true(page_median(&median, HISTOGRAM_SHORT, &sum) == before);
	for (int i = 0; i < 3; i++)
		histogram_add(&one, HISTOGRAM_SHORT, 500);
	sum = (struct histogram_sum){ 0 };
	histogram_sum(&sum, &one);
	assert_true(page_median(&median, HISTOGRAM_SHORT, &sum) < 2000);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_part_is_told_when_it_has_changed_and_without_the_rows_that_do_not_fit),
	cmocka_unit_test(says_how_near_an_end_is_by_the_life_that_it_ends),
	cmocka_unit_test(what_ends_first_comes_first_and_needs_attention),
	cmocka_unit_test(a_limit_needs_attention_when_nine_tenths_of_it_are_used),
	cmocka_unit_test(the_median_is_of_what_came_since),
};

RUN_TESTS("page", tests)
