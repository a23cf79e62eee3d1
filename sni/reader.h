/*
 * Internal to the parser: a reader over bytes that lie in one piece.  Bounds hold
 * by construction: nothing is taken beyond the end.  What is asked for beyond it
 * reads as zero, and the reader is then empty for good and says so, so that the
 * code reads as the format does and checks once.
 *
 * Two pointers and no more, so that it is passed in registers.  (base/cursor.h is
 * another one; this folder stands alone, so that it can be lifted out.)
 */
#ifndef SNI_READER_H
#define SNI_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reader {
	const uint8_t *at;
	const uint8_t *end;
};

/* A reader stands here for good after more was taken than there was. */
extern const uint8_t reader_overran[1];

static inline size_t
left(struct reader c)
{
	return (size_t)(c.end - c.at);
}

static inline bool
overran(struct reader c)
{
	return c.at == reader_overran;
}

/* The next n bytes, NULL if there are fewer. */
static inline const uint8_t *
take(struct reader *c, size_t n)
{
	const uint8_t *bytes = c->at;

	if (left(*c) < n) {
		c->at = c->end = reader_overran;
		return NULL;
	}
	c->at += n;
	return bytes;
}

static inline uint8_t
take_u8(struct reader *c)
{
	const uint8_t *bytes = take(c, 1);

	return bytes ? bytes[0] : 0;
}

static inline uint16_t
take_u16(struct reader *c)
{
	const uint8_t *bytes = take(c, 2);

	return bytes ? (uint16_t)(bytes[0] << 8 | bytes[1]) : 0;
}

/* Takes a length of 16 or 8 bits; true if it is that of all the rest. */
static inline bool
take_length16(struct reader *c)
{
	size_t length = take_u16(c);

	return !overran(*c) && length == left(*c);
}

static inline bool
take_length8(struct reader *c)
{
	size_t length = take_u8(c);

	return !overran(*c) && length == left(*c);
}

/* The next n bytes as a reader of their own, which is overrun too if c now is. */
static inline struct reader
take_vector(struct reader *c, size_t n)
{
	const uint8_t *bytes = take(c, n);

	return (struct reader){ bytes ? bytes : reader_overran, c->at };
}

/*
 * Takes a type and a body with its length before it: an extension, a key share.
 * False, and nothing is taken, if they are not whole.
 */
static inline bool
take_typed(struct reader *c, uint16_t *type, struct reader *body)
{
	const uint8_t *at = c->at;
	size_t there = left(*c), length;

	if (there < 4)
		return false;
	length = (size_t)(at[2] << 8 | at[3]);
	if (there - 4 < length)
		return false;
	*type = (uint16_t)(at[0] << 8 | at[1]);
	body->at = at + 4;
	c->at = body->end = at + 4 + length;
	return true;
}

#endif
