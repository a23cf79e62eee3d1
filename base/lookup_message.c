/* Questions and answers of look-ups as octets, and back. */
#include "base/lookup_message.h"

#include <string.h>

enum { IPV4 = 4, IPV6 = 6 };

void
lookup_question_encode(struct writer *writer, uint64_t number, const char *host)
{
	writer_u64(writer, number);
	writer_text8(writer, host);
}

bool
lookup_question_decode(struct cursor in, struct lookup_question *out)
{
	out->number = cursor_u64(&in);
	cursor_text8(&in, out->host, sizeof out->host);
	return cursor_end(&in) && out->host[0] != '\0';
}

static void
encode_address(struct writer *writer, const struct address *address)
{
	const struct sockaddr_in6 *v6 = &address->as.v6;
	const struct sockaddr_in *v4 = &address->as.v4;

	if (address->as.any.sa_family == AF_INET6) {
		writer_u8(writer, IPV6);
		writer_bytes(writer, &v6->sin6_addr, sizeof v6->sin6_addr);
		writer_u32(writer, v6->sin6_scope_id);
	} else {
		writer_u8(writer, IPV4);
		writer_bytes(writer, &v4->sin_addr, sizeof v4->sin_addr);
		writer_u32(writer, 0);
	}
}

static bool
decode_address(struct cursor *in, struct address *out)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in v4 = { .sin_family = AF_INET };

	switch (cursor_u8(in)) {
	case IPV4:
		cursor_copy(in, &v4.sin_addr, sizeof v4.sin_addr);
		cursor_u32(in);
		address_from(out, (const struct sockaddr *)&v4, sizeof v4);
		return true;
	case IPV6:
		cursor_copy(in, &v6.sin6_addr, sizeof v6.sin6_addr);
		v6.sin6_scope_id = cursor_u32(in);
		address_from(out, (const struct sockaddr *)&v6, sizeof v6);
		return true;
	default:
		return false;
	}
}

void
lookup_answer_encode(struct writer *writer, uint64_t number, const struct answer *answer)
{
	writer_u64(writer, number);
	writer_u8(writer, answer->is_unanswered);
	writer_text16(writer, answer->why);
	writer_u8(writer, (uint8_t)answer->count);
	for (size_t i = 0; i < answer->count; i++)
		encode_address(writer, &answer->addresses[i]);
}

bool
lookup_answer_decode(struct cursor in, struct lookup_answer *out)
{
	struct address address;
	unsigned count;

	*out = (struct lookup_answer){ .number = cursor_u64(&in) };
	out->answer.is_unanswered = cursor_u8(&in) == 1;
	cursor_text16(&in, out->answer.why, sizeof out->answer.why);
	count = cursor_u8(&in);
	if (count > RESOLVED_MOST || (count == 0) != (out->answer.why[0] != '\0'))
		return false;
	for (unsigned i = 0; i < count; i++) {
		if (!decode_address(&in, &address))
			return false;
		answer_add(&out->answer, &address);
	}
	return cursor_end(&in);
}
