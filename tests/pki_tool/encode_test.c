/* The backward DER writer, read back by the reader of pki/. */
#include "pki/tool/encode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pki/der.h"

static struct cursor
over(const struct encoding *encoding)
{
	return cursor_over(encode_finish(encoding), encoding->bytes);
}

static void
writes_lengths_in_their_shortest_form(void **state)
{
	static const size_t lengths[] = { 0, 1, 127, 128, 255, 256, 65535, 65536, 1 << 20 };
	static const size_t headers[] = { 2, 2, 2, 3, 3, 4, 4, 5, 5 };

	(void)state;
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		struct encoding encoding = { 0 };
		char *filler = test_calloc(lengths[i] + 1, 1);
		struct cursor cursor;

		encode_raw(&encoding, filler, lengths[i]);
		encode_wrap(&encoding, DER_OCTET_STRING, 0);
		assert_int_equal(encoding.bytes, lengths[i] + headers[i]);
		cursor = over(&encoding);
		assert_int_equal(der_read(&cursor, DER_OCTET_STRING).bytes, lengths[i]);
		assert_true(cursor_end(&cursor));
		encode_wipe(&encoding);
		test_free(filler);
	}
}

static void
writes_numbers_that_are_read_back(void **state)
{
	static const uint64_t numbers[] =
	    { 0, 1, 127, 128, 255, 256, 0x7fff, 0x8000, 600000, UINT64_C(1) << 62 };

	(void)state;
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		struct encoding encoding = { 0 };
		struct cursor cursor;

		encode_number(&encoding, numbers[i]);
		cursor = over(&encoding);
		assert_true(der_unsigned(&cursor, DER_INTEGER, UINT64_MAX) == numbers[i]);
		assert_true(cursor_end(&cursor));
		encode_wipe(&encoding);
	}
}

static void
writes_magnitudes_as_positive_integers(void **state)
{
	static const struct {
		uint8_t magnitude[4];
		size_t bytes;
		uint8_t wanted[6];
		size_t wanted_bytes;
	} cases[] = {
		{ { 0x7f }, 1, { 2, 1, 0x7f }, 3 },
		{ { 0x80 }, 1, { 2, 2, 0, 0x80 }, 4 },
		{ { 0, 0, 0x12 }, 3, { 2, 1, 0x12 }, 3 },
		{ { 0, 0x80 }, 2, { 2, 2, 0, 0x80 }, 4 },
		{ { 0 }, 1, { 2, 1, 0 }, 3 },
		{ { 0 }, 0, { 2, 1, 0 }, 3 },
		{ { 0xff, 1, 2, 3 }, 4, { 2, 5, 0, 0xff, 1, 2 }, 7 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct encoding encoding = { 0 };
		size_t compared = cases[i].wanted_bytes < 6 ? cases[i].wanted_bytes : 6;

		encode_magnitude(&encoding, cases[i].magnitude, cases[i].bytes);
		assert_int_equal(encoding.bytes, cases[i].wanted_bytes);
		assert_memory_equal(encode_finish(&encoding), cases[i].wanted, compared);
		encode_wipe(&encoding);
	}
}

static void
writes_times_by_the_year_2049_as_utc_and_later_ones_generalized(void **state)
{
	static const struct {
		int64_t seconds;
		const char *wanted;
		unsigned tag;
	} cases[] = {
		{ 0, "700101000000Z", DER_UTC_TIME },
		{ 1795000000, "261118110640Z", DER_UTC_TIME },
		{ INT64_C(2524607999), "491231235959Z", DER_UTC_TIME },
		{ INT64_C(2524608000), "20500101000000Z", DER_GENERALIZED_TIME },
		{ INT64_C(4102444800), "21000101000000Z", DER_GENERALIZED_TIME },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct encoding encoding = { 0 };
		struct cursor cursor;
		struct der text;

		encode_time(&encoding, cases[i].seconds);
		cursor = over(&encoding);
		assert_int_equal(der_peek(&cursor), cases[i].tag);
		text = der_read(&cursor, cases[i].tag);
		assert_int_equal(text.bytes, strlen(cases[i].wanted));
		assert_memory_equal(text.data, cases[i].wanted, text.bytes);
		cursor = over(&encoding);
		assert_true(der_time(&cursor) == cases[i].seconds);
		encode_wipe(&encoding);
	}
}

static void
nests_what_was_written_since_a_mark(void **state)
{
	struct encoding encoding = { 0 };
	struct cursor outer, inner;
	size_t mark;

	(void)state;
	encode_number(&encoding, 3);
	mark = encode_mark(&encoding);
	encode_number(&encoding, 2);
	encode_number(&encoding, 1);
	encode_wrap(&encoding, DER_SEQUENCE, mark);
	encode_wrap(&encoding, DER_SEQUENCE, 0);
	outer = over(&encoding);
	outer = der_enter(&outer, DER_SEQUENCE);
	inner = der_enter(&outer, DER_SEQUENCE);
	assert_int_equal(der_unsigned(&inner, DER_INTEGER, 9), 1);
	assert_int_equal(der_unsigned(&inner, DER_INTEGER, 9), 2);
	assert_true(cursor_end(&inner));
	assert_int_equal(der_unsigned(&outer, DER_INTEGER, 9), 3);
	assert_true(cursor_end(&outer));
	encode_wipe(&encoding);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_lengths_in_their_shortest_form),
		cmocka_unit_test(writes_numbers_that_are_read_back),
		cmocka_unit_test(writes_magnitudes_as_positive_integers),
		cmocka_unit_test(writes_times_by_the_year_2049_as_utc_and_later_ones_generalized),
		cmocka_unit_test(nests_what_was_written_since_a_mark),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("pki/tool/encode", tests, NULL, NULL);
}
