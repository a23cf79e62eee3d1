/* Tests of base/utf8: decoding, and characters that cannot be seen. */
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>
#include "helpers.h"

static void
decodes_what_is_well_formed(void **state)
{
	static const struct {
		const char *text;
		unsigned bytes;
		uint32_t point;
	} cases[] = {
	    {"a", 1, 'a'}, {"\x7f", 1, 0x7f}, {"\xc2\x80", 2, 0x80}, {"\xdf\xbf", 2, 0x7ff},
	    {"\xe0\xa0\x80", 3, 0x800}, {"\xe2\x80\xae", 3, 0x202e}, {"\xef\xbf\xbf", 3, 0xffff},
	    {"\xf0\x90\x80\x80", 4, 0x10000}, {"\xf3\xa0\x80\x81", 4, 0xe0001},
	    {"\xf4\x8f\xbf\xbf", 4, 0x10ffff}, {"\xc0\xaf", 0, 0}, {"\xe0\x9f\xbf", 0, 0},
	    {"\xed\xa0\x80", 0, 0}, {"\xf4\x90\x80\x80", 0, 0}, {"\xf5\x80\x80\x80", 0, 0},
	    {"\x80", 0, 0}, {"\xe2\x28\xa1", 0, 0}, {"\xff", 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t length = strlen(cases[i].text);
		uint32_t point = 0;

		assert_int_equal(utf8_decode(cases[i].text, length, &point), cases[i].bytes);
		if (cases[i].bytes == 0)
			continue;
		assert_int_equal(point, cases[i].point);
		for (size_t less = 1; less < length; less++)
			assert_int_equal(utf8_decode(cases[i].text, less, &point), 0);
	}
}

static void
knows_what_cannot_be_seen(void **state)
{
	static const uint32_t unseen[] = {0, '\n', 0x1b, 0x7f, 0x80, 0x9f, 0xa0, 0xad, 0x34f, 0x61c,
	    0x115f, 0x180e, 0x2000, 0x200b, 0x200d, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202e,
	    0x202f, 0x2060, 0x2065, 0x2066, 0x2069, 0x3000, 0x3164, 0xfe0f, 0xfeff, 0xffa0, 0xfff9,
	    0x110bd, 0x1d173, 0xe0001, 0xe0020, 0xe007f, 0xe0100, 0xe01ef, 0xe0fff};
	static const uint32_t seen[] = {' ', 'a', '~', 0xa1, 0xac, 0xae, 0xe9, 0x34e, 0x5d0, 0x627,
	    0x1fff, 0x2010, 0x2027, 0x2030, 0x205e, 0x2070, 0x20ac, 0x3001, 0x4e2d, 0xfdff, 0xff21,
	    0xfffc, 0xfffd, 0x1f600, 0x1d17b, 0xdffff, 0xe1000, 0x10ffff};

	(void)state;
	for (size_t i = 0; i < COUNT(unseen); i++)
		assert_true(utf8_is_invisible(unseen[i]));
	for (size_t i = 0; i < COUNT(seen); i++)
		assert_false(utf8_is_invisible(seen[i]));
}

static void
puts_what_is_seen_and_a_mark_for_the_rest(void **state)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	(void)state;
	assert_non_null(out);
	utf8_put_visibly("a \"b\" \xc3\xa9\xe2\x82\xac\x1b[2J\n\x7f\xc2\x9b\xe2\x80\xae\xff\xc3", out);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(text, "a \"b\" \xc3\xa9\xe2\x82\xac?[2J??????");
	free(text);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(decodes_what_is_well_formed),
	cmocka_unit_test(knows_what_cannot_be_seen),
	cmocka_unit_test(puts_what_is_seen_and_a_mark_for_the_rest),
};

RUN_TESTS("utf8", tests)
