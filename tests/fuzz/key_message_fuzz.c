/*
 * What a daemon and its key process say to each other: what is read is within its bounds, and says the same when
 * it is said again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "keys/key_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t again[KEY_MESSAGE_BYTES];

static void
hold(bool claim)
{
	if (!claim)
		abort();
}

static void
look_at_question(const uint8_t *data, size_t size)
{
	static struct key_question question;
	struct writer out = writer_over(again, sizeof again);

	if (!key_question_decode(cursor_over(data, size), &question))
		return;
	hold(question.verb < KEY_VERBS && question.bytes <= KEY_DATA_MOST);
	hold(strlen(question.path) < sizeof question.path);
	hold(key_question_encode(&question, &out));
	hold(out.bytes == size && memcmp(again, data, size) == 0);
}

static void
look_at_answer(const uint8_t *data, size_t size)
{
	struct key_answer answer;
	struct writer out = writer_over(again, sizeof again);

	if (!key_answer_decode(cursor_over(data, size), &answer))
		return;
	hold(answer.code < KEY_LATE && answer.bytes <= KEY_DATA_MOST);
	hold(key_answer_encode(&answer, &out));
	hold(out.bytes == size && memcmp(again, data, size) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	look_at_question(data, size);
	look_at_answer(data, size);
	return 0;
}
