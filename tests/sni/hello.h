/* Hellos made for a test, a piece at a time. */
#ifndef TESTS_SNI_HELLO_H
#define TESTS_SNI_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "sni/clienthello.h"

struct built {
	size_t bytes;
	uint8_t wire[3000];
};

static inline void
put(struct built *b, const void *bytes, size_t count)
{
	if (count > 0)
		memcpy(b->wire + b->bytes, bytes, count);
	b->bytes += count;
}

static inline void
put_u16(struct built *b, size_t value)
{
	const uint8_t bytes[] = { (uint8_t)(value >> 8), (uint8_t)value };

	put(b, bytes, 2);
}

/* One record: legacy_version, the suites, and the extension block as they are given. */
static inline struct built
build(uint16_t version, const void *suites, size_t suites_bytes, const void *block,
    size_t block_bytes)
{
	struct built b = { .bytes = 0 };
	size_t body = 2 + 32 + 1 + 2 + suites_bytes + 2 + 2 + block_bytes;

	put(&b, "\x16\x03\x01", 3);
	put_u16(&b, body + 4);
	put(&b, "\x01\x00", 2);
	put_u16(&b, body);
	put_u16(&b, version);
	b.bytes += 33;
	put_u16(&b, suites_bytes);
	put(&b, suites, suites_bytes);
	put(&b, "\x01\x00", 2);
	put_u16(&b, block_bytes);
	put(&b, block, block_bytes);
	return b;
}

static inline struct built
build_extensions(const void *block, size_t block_bytes)
{
	return build(0x0303, "\x13\x01", 2, block, block_bytes);
}

/* A hello of one extension, server_name, with that name. */
static inline struct built
build_named(const char *name)
{
	struct built block = { .bytes = 0 };
	size_t n = strlen(name);

	put_u16(&block, 0);
	put_u16(&block, n + 5);
	put_u16(&block, n + 3);
	put(&block, "", 1);
	put_u16(&block, n);
	put(&block, name, n);
	return build_extensions(block.wire, block.bytes);
}

/* The hello's message again, in records of that size; returns the wire's bytes. */
static inline size_t
build_fragments(uint8_t *wire, const struct built *b, size_t record_bytes)
{
	size_t at = 0;

	for (size_t from = 5; from < b->bytes; from += record_bytes) {
		size_t n = b->bytes - from < record_bytes ? b->bytes - from : record_bytes;

		memcpy(wire + at, "\x16\x03\x01", 3);
		wire[at + 3] = (uint8_t)(n >> 8);
		wire[at + 4] = (uint8_t)n;
		memcpy(wire + at + 5, b->wire + from, n);
		at += 5 + n;
	}
	return at;
}

_Static_assert(offsetof(struct clienthello, server_name) == 100, "the fields leave no gaps");

/* Whether two complete hellos say the same in every field. */
static inline bool
same_hello(const struct clienthello *a, const struct clienthello *b)
{
	return memcmp(a, b, offsetof(struct clienthello, server_name)) == 0 &&
	    strcmp(a->server_name, b->server_name) == 0;
}

#endif
