/*
 * Bytes to values and back, bounded by construction.  A cursor remembers its
 * first failure and then yields zeroes, so that code reads as the format does;
 * cursor_end() says at last whether all went well and nothing is left over.
 * Integers are big-endian.
 */
#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Borrows what it reads. */
struct cursor {
	const uint8_t *at;
	size_t left;
	bool failed;
};

struct cursor cursor_over(const void *data, size_t bytes);
uint8_t cursor_u8(struct cursor *);
uint16_t cursor_u16(struct cursor *);
uint32_t cursor_u24(struct cursor *);
uint32_t cursor_u32(struct cursor *);
uint64_t cursor_u64(struct cursor *);
/* The next `bytes` bytes, aliasing the input; NULL after a failure. */
const uint8_t *cursor_bytes(struct cursor *, size_t bytes);
/* Copies the next `bytes` bytes to `out`, zeroes after a failure. */
void cursor_copy(struct cursor *, void *out, size_t bytes);
/* A cursor over the next `bytes` bytes; failed if they are not there. */
struct cursor cursor_sub(struct cursor *, size_t bytes);
/* A string with a length octet, copied with a NUL; fails if it has a NUL inside or does not fit. */
void cursor_text8(struct cursor *, char *out, size_t out_size);
/* The same with two length octets. */
void cursor_text16(struct cursor *, char *out, size_t out_size);
/* Nothing missing, nothing left over. */
bool cursor_end(const struct cursor *);

/* Writes into the caller's storage; remembers an overflow. */
struct writer {
	uint8_t *start;
	size_t capacity;
	size_t bytes;
	bool failed;
};

struct writer writer_over(void *storage, size_t capacity);
void writer_u8(struct writer *, uint8_t);
void writer_u16(struct writer *, uint16_t);
void writer_u32(struct writer *, uint32_t);
void writer_u64(struct writer *, uint64_t);
void writer_bytes(struct writer *, const void *, size_t);
/* Fails if the text is longer than 255 (65535) bytes. */
void writer_text8(struct writer *, const char *);
void writer_text16(struct writer *, const char *);

#endif
