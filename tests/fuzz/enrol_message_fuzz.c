/*
 * What the two processes of `valise-pki serve` say to each other: the first octet chooses question or
 * answer; what is read is within its bounds and is written again as it came.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pki/tool/enrol_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t again[ENROL_MESSAGE_BYTES];

static void
hold(bool claim)
{
	if (!claim)
		abort();
}

static void
hold_question(struct cursor in)
{
	struct writer out = writer_over(again, sizeof again);
	struct enrol_question question;
	if (!enrol_question_decode(in, &question))
		return;
	hold(question.csr.bytes <= ENROL_CSR_BYTES);
	hold(question.certificate.bytes <= ENROL_CERTIFICATE_BYTES);
	hold(enrol_question_encode(&question, &out));
	hold(out.bytes == in.left && memcmp(again, in.at, in.left) == 0);
}

static void
hold_answer(struct cursor in)
{
	struct writer out = writer_over(again, sizeof again);
	struct enrol_answer answer;
	if (!enrol_answer_decode(in, &answer))
		return;
	hold(answer.count <= ENROL_CHAIN);
	hold(enrol_code_word(answer.code));
	hold(in.left > sizeof again || enrol_answer_encode(&answer, &out));
	hold(in.left > sizeof again || (out.bytes == in.left && memcmp(again, in.at, in.left) == 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor in = cursor_over(data, size);
	unsigned which = cursor_u8(&in);
	if (which == 'q')
		hold_question(in);
	if (which == 'a')
		hold_answer(in);
	return 0;
}
