/* Tests of keys/key_message: what is said is heard as it was, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "keys/key_message.h"

static uint8_t packet[KEY_MESSAGE_BYTES + 1];

static void
hears_a_question_as_it_was_asked(void **state)
{
	struct key_question asked = { 7, KEY_SIGN, UINT64_MAX - 1, 9, 3, "/etc/valise/keys/a.key",
		(const uint8_t *)"digest", 6 },
			    heard;
	struct writer out = writer_over(packet, sizeof packet);

	(void)state;
	assert_true(key_question_encode(&asked, &out));
	assert_true(key_question_decode(cursor_over(packet, out.bytes), &heard));
	assert_int_equal(heard.number, 7);
	assert_int_equal(heard.verb, KEY_SIGN);
	assert_true(heard.key == UINT64_MAX - 1);
	assert_int_equal(heard.algorithm, 9);
	assert_int_equal(heard.type, 3);
	assert_string_equal(heard.path, asked.path);
	assert_int_equal(heard.bytes, 6);
	assert_memory_equal(heard.data, "digest", 6);
	for (size_t bytes = 0; bytes < out.bytes; bytes++)
		assert_false(key_question_decode(cursor_over(packet, bytes), &heard));
	assert_false(key_question_decode(cursor_over(packet, out.bytes + 1), &heard));
}

static void
hears_an_answer_as_it_was_given(void **state)
{
	struct key_answer given = { 7, KEY_DONE, 5, 4, 256, { 1, 2, 3 }, (const uint8_t *)"s", 1 },
			  heard;
	struct writer out = writer_over(packet, sizeof packet);

	(void)state;
	assert_true(key_answer_encode(&given, &out));
	assert_true(key_answer_decode(cursor_over(packet, out.bytes), &heard));
	assert_int_equal(heard.number, 7);
	assert_int_equal(heard.code, KEY_DONE);
	assert_true(heard.key == 5);
	assert_int_equal(heard.algorithm, 4);
	assert_int_equal(heard.bits, 256);
	assert_memory_equal(heard.digest, given.digest, KEY_DIGEST);
	assert_int_equal(heard.bytes, 1);
	for (size_t bytes = 0; bytes < out.bytes; bytes++)
		assert_false(key_answer_decode(cursor_over(packet, bytes), &heard));
}

static void
refuses_verbs_and_codes_that_there_are_not(void **state)
{
	struct key_question question = { .verb = KEY_VERBS };
	struct key_answer answer = { .code = KEY_LATE };
	struct writer out = writer_over(packet, sizeof packet);

	(void)state;
	assert_true(key_question_encode(&question, &out));
	assert_false(key_question_decode(cursor_over(packet, out.bytes), &question));
	out = writer_over(packet, sizeof packet);
	assert_true(key_answer_encode(&answer, &out));
	assert_false(key_answer_decode(cursor_over(packet, out.bytes), &answer));
}

static void
carries_a_whole_message_and_no_more(void **state)
{
	uint8_t *data = calloc(1, KEY_DATA_MOST + 1);
	struct key_question question = { .verb = KEY_SIGN, .data = data, .bytes = KEY_DATA_MOST };
	struct writer out = writer_over(packet, KEY_MESSAGE_BYTES);

	(void)state;
	memset(question.path, 'p', sizeof question.path - 1);
	assert_true(key_question_encode(&question, &out));
	assert_true(key_question_decode(cursor_over(packet, out.bytes), &question));
	question.data = data;
	question.bytes = KEY_DATA_MOST + 1;
	out = writer_over(packet, sizeof packet);
	assert_false(key_question_encode(&question, &out));
	free(data);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hears_a_question_as_it_was_asked),
		cmocka_unit_test(hears_an_answer_as_it_was_given),
		cmocka_unit_test(refuses_verbs_and_codes_that_there_are_not),
		cmocka_unit_test(carries_a_whole_message_and_no_more),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("keys/key_message", tests, NULL, NULL);
}
