/* Tests of base/cursor: bounds, failures that stick, and writing. */
#include "base/cursor.h"

#include <string.h>
#include "helpers.h"

static const uint8_t sample[] = {
    0x01,
    0x02,
    0x03,
    0x04,
    0x05,
    0x06,
    0x07,
    0x08,
    0x09,
    0x0a, /* u8 u16 u24 u32 */
    0x11,
    0x12,
    0x13,
    0x14,
    0x15,
    0x16,
    0x17,
    0x18, /* u64 */
    0x02,
    'h',
    'i',
    0x00,
    0x03,
    'y',
    'o',
    'u',
    0xaa,
    0xbb,
};

struct values {
	uint8_t u8;
	uint16_t u16;
	uint32_t u24, u32;
	uint64_t u64;
	char hi[8], you[8];
	uint8_t rest[2];
};

static bool
decode(const uint8_t *data, size_t bytes, struct values *out)
{
	struct cursor in = cursor_over(data, bytes);

	out->u8 = cursor_u8(&in);
	out->u16 = cursor_u16(&in);
	out->u24 = cursor_u24(&in);
	out->u32 = cursor_u32(&in);
	out->u64 = cursor_u64(&in);
	cursor_text8(&in, out->hi, sizeof out->hi);
	cursor_text16(&in, out->you, sizeof out->you);
	cursor_copy(&in, out->rest, 2);
	return cursor_end(&in);
}

static void
reads_big_endian_values_in_order(void **state)
{
	struct values v;

	(void)state;
	assert_true(decode(sample, sizeof sample, &v));
	assert_int_equal(v.u8, 0x01);
	assert_int_equal(v.u16, 0x0203);
	assert_int_equal(v.u24, 0x040506);
	assert_int_equal(v.u32, 0x0708090a);
	assert_true(v.u64 == 0x1112131415161718);
	assert_string_equal(v.hi, "hi");
	assert_string_equal(v.you, "you");
	assert_int_equal(v.rest[1], 0xbb);
}

static void
fails_on_every_prefix_and_on_a_byte_too_many(void **state)
{
	uint8_t longer[sizeof sample + 1] = {0};
	struct values v;

	(void)state;
	for (size_t bytes = 0; bytes < sizeof sample; bytes++)
		assert_false(decode(sample, bytes, &v));
	memcpy(longer, sample, sizeof sample);
	assert_false(decode(longer, sizeof longer, &v));
}

static void
yields_zeroes_after_the_first_failure(void **state)
{
	const uint8_t data[] = {1, 2, 3};
	struct cursor in = cursor_over(data, sizeof data), sub;
	char text[4] = "old";
	uint8_t copy[2] = {9, 9};

	(void)state;
	assert_int_equal(cursor_u32(&in), 0);
	assert_int_equal(cursor_u8(&in), 0);
	assert_null(cursor_bytes(&in, 1));
	assert_null(cursor_bytes(&in, 0));
	cursor_text8(&in, text, sizeof text);
	assert_string_equal(text, "");
	cursor_copy(&in, copy, 2);
	assert_int_equal(copy[0] + copy[1], 0);
	sub = cursor_sub(&in, 0);
	assert_false(cursor_end(&sub));
	assert_false(cursor_end(&in));
}

static void
gives_a_part_its_own_bounds(void **state)
{
	const uint8_t data[] = {2, 10, 20, 30};
	struct cursor in = cursor_over(data, sizeof data);
	struct cursor sub = cursor_sub(&in, cursor_u8(&in));

	(void)state;
	assert_int_equal(cursor_u16(&sub), 10 << 8 | 20);
	assert_true(cursor_end(&sub));
	assert_int_equal(cursor_u8(&sub), 0);
	assert_false(cursor_end(&sub));
	assert_int_equal(cursor_u8(&in), 30);
	assert_true(cursor_end(&in));
}

static void
refuses_a_text_with_a_nul_or_without_room(void **state)
{
	static const struct { uint8_t data[5]; size_t bytes; bool fine; } cases[] = {
		{{3, 'a', 'b', 'c'}, 4, true}, {{4, 'a', 'b', 'c', 'd'}, 5, false},
		{{3, 'a', 0, 'c'}, 4, false}, {{0}, 1, true}, {{3, 'a', 'b'}, 3, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct cursor in = cursor_over(cases[i].data, cases[i].bytes);
		char text[4];

		cursor_text8(&in, text, sizeof text);
		assert_int_equal(cursor_end(&in), cases[i].fine);
	}
}

static void
an_empty_input_is_at_its_end(void **state)
{
	struct cursor in = cursor_over(NULL, 0);

	(void)state;
	assert_true(cursor_end(&in));
	assert_int_equal(cursor_u8(&in), 0);
	assert_false(cursor_end(&in));
}

static struct writer
encode(uint8_t *storage, size_t capacity)
{
	struct writer out = writer_over(storage, capacity);

	writer_u8(&out, 1);
	writer_u16(&out, 0x0203);
	writer_bytes(&out, "\4\5\6", 3);
	writer_u32(&out, 0x0708090a);
	writer_u64(&out, 0x1112131415161718);
	writer_text8(&out, "hi");
	writer_text16(&out, "you");
	writer_bytes(&out, "\xaa\xbb", 2);
	return out;
}

static void
writes_what_it_reads(void **state)
{
	uint8_t storage[64];
	struct writer out = encode(storage, sizeof storage);

	(void)state;
	assert_false(out.failed);
	assert_int_equal(out.bytes, sizeof sample);
	assert_memory_equal(storage, sample, sizeof sample);
}

static void
never_writes_past_any_capacity(void **state)
{
	(void)state;
	for (size_t capacity = 0; capacity <= sizeof sample; capacity++) {
		uint8_t storage[sizeof sample + 1];
		struct writer out;

		memset(storage, 0x5a, sizeof storage);
		out = encode(storage, capacity);
		assert_int_equal(out.failed, capacity < sizeof sample);
		assert_true(out.bytes <= capacity);
		for (size_t i = capacity; i < sizeof storage; i++)
			assert_int_equal(storage[i], 0x5a);
	}
}

static void
refuses_a_text_longer_than_its_length_field(void **state)
{
	uint8_t storage[1024];
	struct writer out = writer_over(storage, sizeof storage);
	char text[257];

	(void)state;
	memset(text, 'a', 256);
	text[255] = '\0';
	writer_text8(&out, text);
	assert_false(out.failed);
	text[255] = 'a';
	text[256] = '\0';
	writer_text16(&out, text);
	assert_false(out.failed);
	writer_text8(&out, text);
	assert_true(out.failed);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(reads_big_endian_values_in_order),
	cmocka_unit_test(fails_on_every_prefix_and_on_a_byte_too_many),
	cmocka_unit_test(yields_zeroes_after_the_first_failure),
	cmocka_unit_test(gives_a_part_its_own_bounds),
	cmocka_unit_test(refuses_a_text_with_a_nul_or_without_room),
	cmocka_unit_test(an_empty_input_is_at_its_end),
	cmocka_unit_test(writes_what_it_reads),
	cmocka_unit_test(never_writes_past_any_capacity),
	cmocka_unit_test(refuses_a_text_longer_than_its_length_field),
};

RUN_TESTS("cursor", tests)
