/* Questions and answers as bytes, and back. */
#include "keys/key_message.h"

#include <string.h>

static void
put_data(struct writer *out, const uint8_t *data, size_t bytes)
{
	if (bytes > KEY_DATA_MOST)
		out->failed = true;
	writer_u32(out, (uint32_t)bytes);
	writer_bytes(out, data, bytes);
}

static void
take_data(struct cursor *in, const uint8_t **data, size_t *bytes)
{
	*bytes = cursor_u32(in);
	if (*bytes > KEY_DATA_MOST)
		in->failed = true;
	*data = cursor_bytes(in, *bytes);
}

bool
key_question_encode(const struct key_question *question, struct writer *out)
{
	writer_u32(out, question->number);
	writer_u8(out, (uint8_t)question->verb);
	writer_u64(out, question->key);
	writer_u32(out, question->algorithm);
	writer_u8(out, question->type);
	writer_text16(out, question->path);
	put_data(out, question->data, question->bytes);
	return !out->failed;
}

bool
key_question_decode(struct cursor in, struct key_question *out)
{
	out->number = cursor_u32(&in);
	out->verb = cursor_u8(&in);
	out->key = cursor_u64(&in);
	out->algorithm = cursor_u32(&in);
	out->type = cursor_u8(&in);
	cursor_text16(&in, out->path, sizeof out->path);
	take_data(&in, &out->data, &out->bytes);
	return cursor_end(&in) && out->verb < KEY_VERBS;
}

bool
key_answer_encode(const struct key_answer *answer, struct writer *out)
{
	writer_u32(out, answer->number);
	writer_u8(out, (uint8_t)answer->code);
	writer_u64(out, answer->key);
	writer_u32(out, answer->algorithm);
	writer_u32(out, answer->bits);
	writer_bytes(out, answer->digest, sizeof answer->digest);
	put_data(out, answer->data, answer->bytes);
	return !out->failed;
}

bool
key_answer_decode(struct cursor in, struct key_answer *out)
{
	out->number = cursor_u32(&in);
	out->code = cursor_u8(&in);
	out->key = cursor_u64(&in);
	out->algorithm = cursor_u32(&in);
	out->bits = cursor_u32(&in);
	cursor_copy(&in, out->digest, sizeof out->digest);
	take_data(&in, &out->data, &out->bytes);
	return cursor_end(&in) && out->code < KEY_LATE;
}
