/* Lists of facts, written and read; how frames carry them is in frame_test.c. */
#include "tunnel/facts.h"

#include "tunnel/peer.h"

static void
facts_are_put_in_their_order_and_found(void **state)
{
	uint8_t storage[24];
	struct writer w = writer_over(storage, sizeof storage);
	struct cursor value;
	(void)state;
	assert_false(facts_find(facts_of(&w), 7, &value));
	facts_put(&w, 0x9000, "zz", 2);
	facts_put(&w, 7, "a", 1);
	facts_put(&w, 0x8fff, "", 0);
	facts_put(&w, 7, "another", 7);
	assert_int_equal(w.bytes, 15);
	assert_memory_equal(storage, "\x00\x07\x00\x01" "a" "\x8f\xff\x00\x00" "\x90\x00\x00\x02" "zz", 15);
	assert_true(facts_find(facts_of(&w), 7, &value));
	assert_int_equal(value.left, 1);
	assert_true(facts_find(facts_of(&w), 0x9000, &value));
	assert_memory_equal(value.at, "zz", 2);
	assert_false(facts_find(facts_of(&w), 8, &value));
	assert_false(facts_find(facts_of(&w), 0x9001, &value));
	facts_put(&w, 1, "seven..", 7);
	assert_true(w.failed);
	assert_int_equal(w.bytes, 15);
}

static bool
is_one_byte(struct cursor value)
{
	return value.left == 1;
}

static void
facts_are_read_with_what_is_known_of_them(void **state)
{
	static const struct fact_row knows_7[] = { { 7, is_one_byte }, { 0, NULL } };
	static const struct {
		const char *bytes;
		size_t count;
		bool is_fine, is_understood;
	} lists[] = {
		{ "", 0, true, true },
		{ "\0\7\0\1a", 5, true, true },
		{ "\0\7\0\2ab", 6, false, false },                  /* a value that cannot be */
		{ "\0\7\0\1a" "\0\7\0\1a", 10, false, false },    /* twice */
		{ "\x80\1\0\0" "\0\7\0\1a", 9, false, false },   /* out of order */
		{ "\0\10\0\0", 4, true, false },                    /* must be understood */
		{ "\x80\0\0\0", 4, true, true },                   /* need not be */
		{ "\0\10\0\0" "\0\7", 6, false, false },            /* cut short */
	};
	(void)state;
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		struct cursor in = cursor_over(lists[i].bytes, lists[i].count);
		struct facts facts;
		bool is_understood;
		assert_int_equal(facts_read(&in, knows_7, &facts, &is_understood), lists[i].is_fine);
		if (!lists[i].is_fine)
			continue;
		assert_int_equal(is_understood, lists[i].is_understood);
		assert_int_equal(facts.bytes, lists[i].count);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(facts_are_put_in_their_order_and_found),
		cmocka_unit_test(facts_are_read_with_what_is_known_of_them),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("facts", tests, NULL, NULL);
}
