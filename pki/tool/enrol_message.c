/* Questions and answers as octets: numbers big-endian, texts and DER with their length before them. */
#include "pki/tool/enrol_message.h"

#include <string.h>

static const char *const code_words[ENROL_CODES] = {
	[ENROL_ISSUED] = "issued",
	[ENROL_MALFORMED] = "malformed",
	[ENROL_UNAUTHORISED] = "unauthorised",
	[ENROL_REFUSED] = "refused",
	[ENROL_LATER] = "later",
	[ENROL_BROKEN] = "broken",
};

const char *
enrol_code_word(enum enrol_code code)
{
	return code_words[code];
}

static void
put_der(struct writer *out, struct der der, size_t most)
{
	out->failed = out->failed || der.bytes > most;
	writer_u32(out, (uint32_t)der.bytes);
	if (der.bytes)
		writer_bytes(out, der.data, der.bytes);
}

static struct der
take_der(struct cursor *in, size_t most)
{
	size_t bytes = cursor_u32(in);

	if (bytes > most)
		in->failed = true;
	return in->failed || bytes == 0 ? (struct der){ 0 }
					: (struct der){ cursor_bytes(in, bytes), bytes };
}

bool
enrol_question_encode(const struct enrol_question *question, struct writer *out)
{
	writer_u8(out, (uint8_t)question->kind);
	put_der(out, question->csr, ENROL_CSR_BYTES);
	put_der(out, question->certificate, ENROL_CERTIFICATE_BYTES);
	writer_text8(out, question->user);
	writer_text8(out, question->password);
	writer_text8(out, question->from);
	return !out->failed;
}

bool
enrol_question_decode(struct cursor in, struct enrol_question *out)
{
	unsigned kind = cursor_u8(&in);

	*out = (struct enrol_question){ 0 };
	out->csr = take_der(&in, ENROL_CSR_BYTES);
	out->certificate = take_der(&in, ENROL_CERTIFICATE_BYTES);
	cursor_text8(&in, out->user, sizeof out->user);
	cursor_text8(&in, out->password, sizeof out->password);
	cursor_text8(&in, out->from, sizeof out->from);
	out->kind = (enum enrol_kind)kind;
	return cursor_end(&in) && kind >= ENROL_FIRST && kind < ENROL_KINDS;
}

bool
enrol_answer_encode(const struct enrol_answer *answer, struct writer *out)
{
	writer_u8(out, (uint8_t)answer->code);
	writer_u32(out, answer->retry_after_s);
	writer_text16(out, answer->sentence);
	writer_text8(out, answer->name);
	writer_text8(out, answer->kind);
	writer_u64(out, (uint64_t)answer->not_after);
	writer_u8(out, (uint8_t)answer->count);
	for (size_t i = 0; i < answer->count; i++)
		put_der(out, answer->certificates[i], ENROL_CERTIFICATE_BYTES);
	return !out->failed;
}

bool
enrol_answer_decode(struct cursor in, struct enrol_answer *out)
{
	unsigned code = cursor_u8(&in);

	*out = (struct enrol_answer){ .retry_after_s = cursor_u32(&in) };
	cursor_text16(&in, out->sentence, sizeof out->sentence);
	cursor_text8(&in, out->name, sizeof out->name);
	cursor_text8(&in, out->kind, sizeof out->kind);
	out->not_after = (int64_t)cursor_u64(&in);
	out->count = cursor_u8(&in);
	if (out->count > ENROL_CHAIN)
		in.failed = true;
	for (size_t i = 0; !in.failed && i < out->count; i++)
		out->certificates[i] = take_der(&in, ENROL_CERTIFICATE_BYTES);
	out->code = (enum enrol_code)code;
	return cursor_end(&in) && code < ENROL_CODES;
}
