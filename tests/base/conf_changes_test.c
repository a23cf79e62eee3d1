/* Tests of base/conf_changes: what a reload says that it has changed. */
#include "base/conf_changes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/conf.h"

struct inner {
	char *path;
	uint64_t idle_ms;
};

struct item {
	char *note, *name;
	struct inner inner;
	struct conf_mark mark;
};

struct whole {
	char *text;
	struct conf_mark text_mark;
	uint64_t number, bytes;
	bool flag;
	int word;
	struct conf_texts texts;
	struct conf_items items;
};

static const char *const words[] = { "red", "green", NULL };
static const struct conf_row inner_rows[] = { { "path", CONF_TEXT, .offset = offsetof(struct inner, path) },
	{ "idle", CONF_DURATION, offsetof(struct inner, idle_ms), .fallback = "3s" }, { 0 } };
static const struct conf_row item_rows[] = { { "note", CONF_TEXT, .offset = offsetof(struct item, note) },
	{ "name", CONF_TEXT, offsetof(struct item, name), .required = true,
	    .mark_offset = offsetof(struct item, mark) },
	{ "inner", CONF_MAPPING, offsetof(struct item, inner), .table = inner_rows }, { 0 } };
static const struct conf_row rows[] = {
	{ "text", CONF_TEXT, offsetof(struct whole, text),
	    .mark_offset = offsetof(struct whole, text_mark) },
	{ "limits.number", CONF_NUMBER, .offset = offsetof(struct whole, number) },
	{ "limits.bytes", CONF_SIZE, offsetof(struct whole, bytes), .fallback = "1KiB" },
	{ "flag", CONF_BOOL, .offset = offsetof(struct whole, flag) },
	{ "word", CONF_WORD, offsetof(struct whole, word), .words = words },
	{ "texts", CONF_TEXTS, .offset = offsetof(struct whole, texts) },
	{ "items", CONF_MAPPINGS, offsetof(struct whole, items), .table = item_rows,
	    .item_bytes = sizeof(struct item) },
	{ 0 },
};

static void
read_whole(struct whole *out, const char *text)
{
	struct conf_report report = { .path = "test" };

	memset(out, 0, sizeof *out);
	if (!conf_read_bytes(out, rows, text, strlen(text), &report))
		fail_msg("%s", text);
}

static void
assert_changes(const char *before, const char *after, const char *wanted)
{
	struct conf_changes changes = { 0 };
	char told[CONF_CHANGES_TEXT];
	struct whole old, fresh;

	read_whole(&old, before);
	read_whole(&fresh, after);
	conf_changes_find(&changes, rows, &old, &fresh);
	assert_string_equal(conf_changes_text(&changes, told), wanted);
	conf_wipe(&old, rows);
	conf_wipe(&fresh, rows);
}

static void
every_kind_of_value_is_told_by_its_key(void **state)
{
	static const struct {
		const char *before, *after, *told;
	} cases[] = {
		{ "text: a\n", "text: a\n", "nothing" },
		{ "text: a\n", "\n\ntext:   \"a\"\n", "nothing" },
		{ "text: a\n", "text: b\n", "text" },
		{ "text: a\n", "flag: false\n", "text" },
		{ "text: ''\n", "flag: false\n", "text" },
		{ "flag: true\n", "flag: false\n", "flag" },
		{ "word: red\n", "word: green\n", "word" },
		{ "limits: {number: 1}\n", "limits: {number: 2, bytes: 1024B}\n", "limits.number" },
		{ "limits: {number: 1}\n", "limits: {number: 2, bytes: 4KiB}\n",
		    "limits.number, limits.bytes" },
		{ "texts: [a, b]\n", "texts: [a, b]\n", "nothing" },
		{ "texts: [a, b]\n", "texts: [b, a]\n", "texts" },
		{ "texts: [ab]\n", "texts: [a, b]\n", "texts" },
		{ "texts: [a]\n", "flag: false\n", "texts" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_changes(cases[i].before, cases[i].after, cases[i].told);
}

static void
items_are_told_by_name(void **state)
{
	(void)state;
	assert_changes("items: [{name: a}, {name: b}]\n", "items: [{name: a}, {name: b}]\n", "nothing");
	assert_changes("items: [{name: a}, {name: b}, {name: c}]\n",
	    "items: [{name: d}, {name: a}, {name: b, inner: {path: x}}]\n",
	    "item d (new), item b, item c (gone)");
	assert_changes("items: [{name: a, note: n}]\n", "items: [{name: a, note: m}]\n", "item a");
	assert_changes(
	    "items: [{name: a, inner: {idle: 3s}}]\n", "items: [{name: a, inner: {path: p}}]\n", "item a");
	assert_changes("items: [{name: a}]\n", "flag: false\n", "item a (gone)");
}

static uint64_t
digest_of(const char *text)
{
	struct whole whole;
	uint64_t digest;

	read_whole(&whole, text);
	digest = conf_digest(rows, &whole);
	conf_wipe(&whole, rows);
	return digest;
}

static void
a_digest_is_the_same_for_the_same_values(void **state)
{
	static const char *const texts[] = { "flag: false\n", "flag: true\n", "text: a\n", "text: ''\n",
		"texts: [a, b]\n", "texts: [ab]\n", "items: [{name: a}]\n", "items: [{name: a, note: a}]\n",
		"items: [{name: a}, {name: a}]\n", "items: [{name: a, inner: {path: a}}]\n" };
	enum { COUNT = sizeof texts / sizeof *texts };

	(void)state;
	for (size_t i = 0; i < COUNT; i++)
		for (size_t j = 0; j < COUNT; j++)
			assert_int_equal(digest_of(texts[i]) == digest_of(texts[j]), i == j);
}

static void
one_thing_is_told_once(void **state)
{
	struct conf_changes changes = { 0 };
	char told[CONF_CHANGES_TEXT];

	(void)state;
	conf_changes_add(&changes, "endpoint shop");
	conf_changes_add(&changes, "endpoint shopping");
	conf_changes_add(&changes, "shop");
	conf_changes_add(&changes, "endpoint shop");
	conf_changes_add(&changes, "shop");
	assert_string_equal(
	    conf_changes_text(&changes, told), "endpoint shop, endpoint shopping, shop");
}

static void
what_has_no_room_is_counted(void **state)
{
	struct conf_changes changes = { 0 };
	char told[CONF_CHANGES_TEXT], what[64], last[64];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(what, sizeof what, "endpoint number-%04d", i);
		conf_changes_add(&changes, what);
	}
	conf_changes_text(&changes, told);
	assert_true(strlen(told) < CONF_CHANGES_TEXT - 1);
	assert_non_null(strstr(told, "endpoint number-0000, "));
	snprintf(last, sizeof last, "endpoint number-%04u and %u more", 999 - changes.more, changes.more);
	assert_string_equal(told + strlen(told) - strlen(last), last);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_value_is_told_by_its_key),
		cmocka_unit_test(items_are_told_by_name),
		cmocka_unit_test(a_digest_is_the_same_for_the_same_values),
		cmocka_unit_test(one_thing_is_told_once),
		cmocka_unit_test(what_has_no_room_is_counted),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("conf_changes", tests, NULL, NULL);
}
