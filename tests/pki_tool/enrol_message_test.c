/* Questions and answers: written, read back, and refused when they are cut or too large. */
#include "pki/tool/enrol_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint8_t packet[ENROL_MESSAGE_BYTES];
static const uint8_t octets[ENROL_CERTIFICATE_BYTES + 1] = "some octets";

static void
assert_same_der(struct der a, struct der b)
{
	assert_int_equal(a.bytes, b.bytes);
	if (a.bytes)
		assert_memory_equal(a.data, b.data, a.bytes);
}

static struct enrol_question
some_question(void)
{
	struct enrol_question question = { .kind = ENROL_FIRST,
		.csr = { octets, 11 },
		.certificate = { octets, 4 },
		.user = "0123456789abcdef",
		.password = "secret",
		.from = "192.0.2.1:443" };

	return question;
}

static struct enrol_answer
some_answer(void)
{
	struct enrol_answer answer = { .code = ENROL_LATER,
		.retry_after_s = 70000,
		.sentence = "later",
		.name = "site",
		.kind = "agent",
		.not_after = INT64_C(4102444800),
		.count = 2,
		.certificates = { { octets, 7 }, { octets, 11 } } };

	return answer;
}

static void
reads_a_question_back_and_no_part_of_it(void **state)
{
	struct enrol_question question = some_question(), read;
	struct writer out = writer_over(packet, sizeof packet);

	(void)state;
	assert_true(enrol_question_encode(&question, &out));
	assert_true(enrol_question_decode(cursor_over(packet, out.bytes), &read));
	assert_int_equal(read.kind, question.kind);
	assert_same_der(read.csr, question.csr);
	assert_same_der(read.certificate, question.certificate);
	assert_string_equal(read.user, question.user);
	assert_string_equal(read.password, question.password);
	assert_string_equal(read.from, question.from);
	for (size_t bytes = 0; bytes < out.bytes; bytes++)
		assert_false(enrol_question_decode(cursor_over(packet, bytes), &read));
	assert_false(enrol_question_decode(cursor_over(packet, out.bytes + 1), &read));
}

static void
reads_an_answer_back_and_no_part_of_it(void **state)
{
	struct enrol_answer answer = some_answer(), read;
	struct writer out = writer_over(packet, sizeof packet);

	(void)state;
	assert_true(enrol_answer_encode(&answer, &out));
	assert_true(enrol_answer_decode(cursor_over(packet, out.bytes), &read));
	assert_int_equal(read.code, answer.code);
	assert_int_equal(read.retry_after_s, answer.retry_after_s);
	assert_string_equal(read.sentence, answer.sentence);
	assert_string_equal(read.name, answer.name);
	assert_string_equal(read.kind, answer.kind);
	assert_int_equal(read.not_after, answer.not_after);
	assert_int_equal(read.count, answer.count);
	assert_same_der(read.certificates[0], answer.certificates[0]);
	assert_same_der(read.certificates[1], answer.certificates[1]);
	for (size_t bytes = 0; bytes < out.bytes; bytes++)
		assert_false(enrol_answer_decode(cursor_over(packet, bytes), &read));
	assert_false(enrol_answer_decode(cursor_over(packet, out.bytes + 1), &read));
}

static void
knows_no_other_kinds_and_codes(void **state)
{
	struct enrol_question question = some_question();
	struct enrol_answer answer = some_answer();
	struct writer out = writer_over(packet, sizeof packet);

	(void)state;
	assert_true(enrol_question_encode(&question, &out));
	for (unsigned kind = 0; kind < 256; kind++) {
		packet[0] = (uint8_t)kind;
		assert_int_equal(
		    enrol_question_decode(cursor_over(packet, out.bytes), &question),
		    kind >= ENROL_FIRST && kind < ENROL_KINDS);
	}
	out = writer_over(packet, sizeof packet);
	assert_true(enrol_answer_encode(&answer, &out));
	for (unsigned code = 0; code < 256; code++) {
		packet[0] = (uint8_t)code;
		assert_int_equal(enrol_answer_decode(cursor_over(packet, out.bytes), &answer),
		    code < ENROL_CODES);
	}
	for (unsigned code = 0; code < ENROL_CODES; code++)
		assert_non_null(enrol_code_word((enum enrol_code)code));
}

static void
carries_nothing_beyond_its_bounds(void **state)
{
	struct enrol_question question = some_question();
	struct enrol_answer answer = some_answer();
	struct writer out = writer_over(packet, sizeof packet);

	(void)state;
	question.csr.bytes = ENROL_CSR_BYTES;
	question.certificate.bytes = ENROL_CERTIFICATE_BYTES;
	assert_true(enrol_question_encode(&question, &out));
	question.csr.bytes++;
	out = writer_over(packet, sizeof packet);
	assert_false(enrol_question_encode(&question, &out));
	answer.certificates[1].bytes = ENROL_CERTIFICATE_BYTES + 1;
	out = writer_over(packet, sizeof packet);
	assert_false(enrol_answer_encode(&answer, &out));
	/* and who writes a length or a count of his own is not believed */
	out = writer_over(packet, sizeof packet);
	question = some_question();
	assert_true(enrol_question_encode(&question, &out));
	packet[2] = 1;
	assert_false(enrol_question_decode(cursor_over(packet, sizeof packet), &question));
	out = writer_over(packet, sizeof packet);
	answer = some_answer();
	answer.count = 0;
	assert_true(enrol_answer_encode(&answer, &out));
	packet[out.bytes - 1] = ENROL_CHAIN + 1;
	assert_false(enrol_answer_decode(cursor_over(packet, sizeof packet), &answer));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_question_back_and_no_part_of_it),
		cmocka_unit_test(reads_an_answer_back_and_no_part_of_it),
		cmocka_unit_test(knows_no_other_kinds_and_codes),
		cmocka_unit_test(carries_nothing_beyond_its_bounds),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
