/* Tests of base/units: durations, sizes, numbers and hexadecimal. */
#include "base/units.h"

#include <string.h>
#include "helpers.h"

struct amount {
	const char *text;
	bool fine;
	uint64_t value;
};

static void
check(const struct amount *cases, size_t count, bool (*parse)(const char *, uint64_t *))
{
	for (size_t i = 0; i < count; i++) {
		uint64_t value = 77;

		if (parse(cases[i].text, &value) != cases[i].fine)
			fail_msg("\"%s\" is judged wrongly", cases[i].text);
		assert_true(value == (cases[i].fine ? cases[i].value : 77));
	}
}

static void
reads_durations_in_milliseconds(void **state)
{
	static const struct amount cases[] = {
	    {"0", true, 0},
	    {"0s", true, 0},
	    {"1ms", true, 1},
	    {"500ms", true, 500},
	    {"10s", true, 10000},
	    {"1m30s", true, 90000},
	    {"2h", true, 7200000},
	    {"1d", true, 86400000},
	    {"1m1ms", true, 60001},
	    {"18446744073709551615ms", true, UINT64_MAX},
	    {"10", false, 0},
	    {"", false, 0},
	    {"s", false, 0},
	    {"-1s", false, 0},
	    {"1.5s", false, 0},
	    {"1 s", false, 0},
	    {"1s ", false, 0},
	    {"1S", false, 0},
	    {"1sec", false, 0},
	    {"1s5", false, 0},
	    {"00", false, 0},
	    {"18446744073709551616ms", false, 0},
	    {"18446744073709551615s", false, 0},
	    {"18446744073709551615ms1ms", false, 0},
	    {"+1s", false, 0},
	    {"0x1s", false, 0},
	};

	(void)state;
	check(cases, COUNT(cases), duration_parse);
}

static void
reads_sizes_in_bytes(void **state)
{
	static const struct amount cases[] = {
	    {"0", true, 0},
	    {"16384", true, 16384},
	    {"16KiB", true, 16384},
	    {"1MiB", true, 1048576},
	    {"1GiB", true, 1073741824},
	    {"2KB", true, 2000},
	    {"3MB", true, 3000000},
	    {"4GB", true, 4000000000},
	    {"7B", true, 7},
	    {"", false, 0},
	    {"KiB", false, 0},
	    {"1kib", false, 0},
	    {"1 KiB", false, 0},
	    {"1KiB1B", false, 0},
	    {"1K", false, 0},
	    {"-1", false, 0},
	    {"17179869184GiB", false, 0},
	};

	(void)state;
	check(cases, COUNT(cases), size_parse);
}

static void
reads_numbers_of_digits_only(void **state)
{
	static const struct amount cases[] = {
	    {"0", true, 0},
	    {"007", true, 7},
	    {"18446744073709551615", true, UINT64_MAX},
	    {"18446744073709551616", false, 0},
	    {"", false, 0},
	    {" 1", false, 0},
	    {"1 ", false, 0},
	    {"+1", false, 0},
	    {"-1", false, 0},
	    {"1e3", false, 0},
	};

	(void)state;
	check(cases, COUNT(cases), number_parse);
}

static void
writes_numbers(void **state)
{
	static const struct {
		uint64_t number;
		const char *text;
	} cases[] = {{0, "0"}, {9, "9"}, {10, "10"}, {255, "255"}, {UINT64_MAX, "18446744073709551615"}};
	char out[NUMBER_DIGITS];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(number_encode(out, cases[i].number), strlen(cases[i].text));
		assert_memory_equal(out, cases[i].text, strlen(cases[i].text));
	}
}

static void
writes_and_reads_hexadecimal(void **state)
{
	const uint8_t data[] = {0x00, 0x7f, 0xff, 0xa5};
	uint8_t back[4];
	char text[9];

	(void)state;
	assert_string_equal(hex_encode(text, data, 4), "007fffa5");
	assert_true(hex_decode(back, 4, "007FfFa5"));
	assert_memory_equal(back, data, 4);
	assert_false(hex_decode(back, 4, "007fffa"));
	assert_false(hex_decode(back, 4, "007fffa5a"));
	assert_false(hex_decode(back, 4, "007fffg5"));
	assert_false(hex_decode(back, 4, "007fff 5"));
	assert_false(hex_decode(back, 4, "  7fffa5"));
	assert_false(hex_decode(back, 4, "007f\nfa5"));
	assert_true(hex_decode(back, 0, ""));
	assert_string_equal(hex_encode(text, data, 0), "");
}

static void
writes_points_in_time(void **state)
{
	static const struct {
		int64_t wall_s;
		const char *text;
	} cases[] = {
		{0, "1970-01-01T00:00:00Z"},
		{-1, "1969-12-31T23:59:59Z"},
		{951782400, "2000-02-29T00:00:00Z"},
		{1795781746, "2026-11-27T12:15:46Z"},
		{253402300799, "9999-12-31T23:59:59Z"},
		{INT64_MAX, "9223372036854775807"},
		{INT64_MIN, "-9223372036854775808"},
	};
	char out[TIME_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_string_equal(time_text(cases[i].wall_s, out), cases[i].text);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(reads_durations_in_milliseconds),
	cmocka_unit_test(reads_sizes_in_bytes),
	cmocka_unit_test(reads_numbers_of_digits_only),
	cmocka_unit_test(writes_numbers),
	cmocka_unit_test(writes_and_reads_hexadecimal),
	cmocka_unit_test(writes_points_in_time),
};

RUN_TESTS("units", tests)
