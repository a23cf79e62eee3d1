/*
 * What a daemon and its resolver's process say to each other: the first octet chooses question or answer; what is
 * read is within its bounds.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/lookup_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t again[LOOKUP_MESSAGE];

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
	struct lookup_question question;
	if (!lookup_question_decode(in, &question))
		return;
	hold(question.host[0] != '\0' && strlen(question.host) < sizeof question.host);
	lookup_question_encode(&out, question.number, question.host);
	hold(!out.failed && out.bytes == in.left && memcmp(again, in.at, in.left) == 0);
}

/* Addresses that come twice count once, so that what is written may be shorter; it is read as the same. */
static void
hold_answer(struct cursor in)
{
	struct writer out = writer_over(again, sizeof again);
	struct lookup_answer answer, same;
	if (!lookup_answer_decode(in, &answer))
		return;
	hold(answer.answer.count <= RESOLVED_MOST);
	hold((answer.answer.count == 0) == (answer.answer.why[0] != '\0'));
	for (size_t i = 0; i < answer.answer.count; i++)
		hold(answer.answer.addresses[i].bytes > 0);
	lookup_answer_encode(&out, answer.number, &answer.answer);
	hold(!out.failed && lookup_answer_decode(cursor_over(again, out.bytes), &same));
	hold(same.number == answer.number && same.answer.count == answer.answer.count);
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
