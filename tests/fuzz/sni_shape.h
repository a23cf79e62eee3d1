/*
 * Inputs for the two sni targets.  One that begins with 22, as every TLS stream
 * here does, is taken as it is.  Any other describes a hello that is framed
 * well, so that mutations reach the insides of the extensions instead of
 * breaking the lengths around them:
 *
 *	byte 0		size of the records, 0 for a single one
 *	byte 1		bit 0: TLS 1.3 is offered; bit 1: legacy_version is TLS 1.0
 *	then, repeated	type (an index, or two bytes), length, that many bytes:
 *			an extension; with bit 7 of the index, its list lengths
 *			are put before the bytes
 */
#ifndef TESTS_FUZZ_SNI_SHAPE_H
#define TESTS_FUZZ_SNI_SHAPE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SHAPE_MOST = 20000, SHAPE_WRAP = 0x80 };

struct shape {
	uint8_t bytes[SHAPE_MOST];
	size_t count;
};

static inline void
shape_put(struct shape *s, const void *bytes, size_t count)
{
	if (count > SHAPE_MOST - s->count)
		count = SHAPE_MOST - s->count;
	memcpy(s->bytes + s->count, bytes, count);
	s->count += count;
}

static inline void
shape_u16(struct shape *s, size_t value)
{
	const uint8_t bytes[] = { (uint8_t)(value >> 8), (uint8_t)value };

	shape_put(s, bytes, sizeof bytes);
}

static inline void
shape_u8(struct shape *s, size_t value)
{
	const uint8_t byte = (uint8_t)value;

	shape_put(s, &byte, 1);
}

static inline void
shape_extension(struct shape *s, unsigned type, const uint8_t *body, size_t n, int wrap)
{
	shape_u16(s, type);
	if (!wrap || n > 200) {
		shape_u16(s, n);
	} else if (type == 0) {
		shape_u16(s, n + 5);
		shape_u16(s, n + 3);
		shape_u8(s, 0);
		shape_u16(s, n);
	} else if (type == 16) {
		shape_u16(s, n + 3);
		shape_u16(s, n + 1);
		shape_u8(s, n);
	} else if (type == 10 || type == 13 || type == 51) {
		shape_u16(s, n + 2);
		shape_u16(s, n);
	} else {
		shape_u16(s, n + 1);
		shape_u8(s, n);
	}
	shape_put(s, body, n);
}

static inline void
shape_extensions(struct shape *s, const uint8_t *data, size_t size)
{
	static const uint16_t types[] = { 0, 16, 43, 51, 10, 11, 12, 13, 14, 15, 21, 22, 23, 28, 35,
		41, 42, 44, 45, 49, 1, 5, 19, 20, 0xff01, 0xfe0d, 0x0a0a };
	const size_t known = sizeof types / sizeof *types;

	for (size_t at = 0; size - at >= 4 && s->count < SHAPE_MOST - 300;) {
		size_t index = data[at] & (SHAPE_WRAP - 1), n = data[at + 1];
		int wrap = data[at] & SHAPE_WRAP;
		unsigned type = index < known ? types[index] :
		    (unsigned)data[at] << 8 | data[at + 1];

		at += 2;
		if (n > size - at)
			n = size - at;
		shape_extension(s, type, data + at, n, wrap);
		at += n;
	}
}

/* The message s, in records of that size (0: one). */
static inline void
shape_records(struct shape *wire, const struct shape *s, size_t record_bytes)
{
	if (record_bytes == 0)
		record_bytes = 16384;
	for (size_t at = 0; at < s->count; at += record_bytes) {
		size_t n = s->count - at < record_bytes ? s->count - at : record_bytes;

		shape_put(wire, "\x16\x03\x01", 3);
		shape_u16(wire, n);
		shape_put(wire, s->bytes + at, n);
	}
}

/* The stream that the input stands for, and its size in *count. */
static inline const uint8_t *
shape_stream(const uint8_t *data, size_t size, size_t *count)
{
	static struct shape wire, s;
	uint8_t zeros[33] = { 0 };
	size_t block, body;

	*count = size;
	if (size < 2 || data[0] == 22)
		return data;
	wire.count = s.count = 0;
	shape_put(&s, "\x01\x00\x00\x00\x03", 5);
	shape_u8(&s, data[1] & 2 ? 1 : 3);
	shape_put(&s, zeros, sizeof zeros);
	shape_put(&s, "\x00\x02\x13\x01\x01\x00", 6);
	block = s.count;
	shape_u16(&s, 0);
	if (data[1] & 1)
		shape_extension(&s, 43, (const uint8_t *)"\x03\x04", 2, 1);
	shape_extensions(&s, data + 2, size - 2);
	body = s.count - block - 2;
	s.bytes[block] = (uint8_t)(body >> 8);
	s.bytes[block + 1] = (uint8_t)body;
	s.bytes[2] = (uint8_t)((s.count - 4) >> 8);
	s.bytes[3] = (uint8_t)(s.count - 4);
	shape_records(&wire, &s, data[0]);
	*count = wire.count;
	return wire.bytes;
}

#endif
