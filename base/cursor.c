/* Reads values from bytes and writes them.  It is bounded by construction: every access goes through
 * cursor_bytes() or writer_room(). */
#include "base/cursor.h"

#include <string.h>

struct cursor
cursor_over(const void *data, size_t bytes)
{
	return (struct cursor){ .at = data, .left = bytes };
}

const uint8_t *
cursor_bytes(struct cursor *in, size_t bytes)
{
	const uint8_t *here = in->at;

	if (in->failed || in->left < bytes) {
		in->failed = true;
		return NULL;
	}
	if (bytes > 0) {
		in->at += bytes;
		in->left -= bytes;
	}
	return here;
}

static uint64_t
take_integer(struct cursor *in, size_t bytes)
{
	const uint8_t *here = cursor_bytes(in, bytes);
	uint64_t value = 0;

	if (!here)
		return 0;
	for (size_t i = 0; i < bytes; i++)
		value = value << 8 | here[i];
	return value;
}

uint8_t
cursor_u8(struct cursor *in)
{
	return (uint8_t)take_integer(in, 1);
}

uint16_t
cursor_u16(struct cursor *in)
{
	return (uint16_t)take_integer(in, 2);
}

uint32_t
cursor_u24(struct cursor *in)
{
	return (uint32_t)take_integer(in, 3);
}

uint32_t
cursor_u32(struct cursor *in)
{
	return (uint32_t)take_integer(in, 4);
}

uint64_t
cursor_u64(struct cursor *in)
{
	return take_integer(in, 8);
}

void
cursor_copy(struct cursor *in, void *out, size_t bytes)
{
	const uint8_t *here = cursor_bytes(in, bytes);

	if (bytes == 0)
		return;
	if (here)
		memcpy(out, here, bytes);
	else
		memset(out, 0, bytes);
}

struct cursor
cursor_sub(struct cursor *in, size_t bytes)
{
	const uint8_t *here = cursor_bytes(in, bytes);

	if (in->failed)
		return (struct cursor){ .failed = true };
	return cursor_over(here, bytes);
}

static void
take_text(struct cursor *in, size_t bytes, char *out, size_t out_size)
{
	const uint8_t *here = cursor_bytes(in, bytes);

	out[0] = '\0';
	if (!here && bytes > 0)
		return;
	if (bytes >= out_size || (bytes > 0 && memchr(here, 0, bytes))) {
		in->failed = true;
		return;
	}
	if (bytes > 0)
		memcpy(out, here, bytes);
	out[bytes] = '\0';
}

void
cursor_text8(struct cursor *in, char *out, size_t out_size)
{
	take_text(in, cursor_u8(in), out, out_size);
}

void
cursor_text16(struct cursor *in, char *out, size_t out_size)
{
	take_text(in, cursor_u16(in), out, out_size);
}

bool
cursor_end(const struct cursor *in)
{
	return !in->failed && in->left == 0;
}

struct writer
writer_over(void *storage, size_t capacity)
{
	return (struct writer){ .start = storage, .capacity = capacity };
}

static uint8_t *
writer_room(struct writer *out, size_t bytes)
{
	uint8_t *here = out->start + out->bytes;

	if (out->failed || out->capacity - out->bytes < bytes) {
		out->failed = true;
		return NULL;
	}
	out->bytes += bytes;
	return here;
}

static void
put_integer(struct writer *out, uint64_t value, size_t bytes)
{
	uint8_t *here = writer_room(out, bytes);

	if (!here)
		return;
	for (size_t i = bytes; i > 0; i--, value >>= 8)
		here[i - 1] = (uint8_t)value;
}

void
writer_u8(struct writer *out, uint8_t value)
{
	put_integer(out, value, 1);
}

void
writer_u16(struct writer *out, uint16_t value)
{
	put_integer(out, value, 2);
}

void
writer_u32(struct writer *out, uint32_t value)
{
	put_integer(out, value, 4);
}

void
writer_u64(struct writer *out, uint64_t value)
{
	put_integer(out, value, 8);
}

void
writer_bytes(struct writer *out, const void *data, size_t bytes)
{
	uint8_t *here;

	if (bytes == 0)
		return;
	here = writer_room(out, bytes);
	if (here)
		memcpy(here, data, bytes);
}

static void
put_text(struct writer *out, const char *text, size_t length_bytes, size_t most)
{
	size_t bytes = strlen(text);

	if (bytes > most) {
		out->failed = true;
		return;
	}
	put_integer(out, bytes, length_bytes);
	writer_bytes(out, text, bytes);
}

void
writer_text8(struct writer *out, const char *text)
{
	put_text(out, text, 1, UINT8_MAX);
}

void
writer_text16(struct writer *out, const char *text)
{
	put_text(out, text, 2, UINT16_MAX);
}
