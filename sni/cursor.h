/*
 * Internal to the parser: a cursor over the bytes of a handshake message that
 * lie in one or more TLS records.  Bounds hold by construction: whoever makes a
 * cursor has judged the record headers, so that `left` bytes of the message are
 * known to lie in the wire and no record among them is empty; and no more than
 * `left` are ever taken.  What is asked for beyond reads as zero and sets
 * overran, which stays set, so that the code reads as the format does and
 * checks once.
 */
#ifndef SNI_CURSOR_H
#define SNI_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "sni/clienthello.h"

enum { RECORD_HEADER = 5 };

struct cursor {
	const uint8_t *at;
	size_t in_record;	/* bytes of this record from at on */
	size_t left;		/* bytes that may still be taken */
	bool overran;
};

static inline void
next_record(struct cursor *c)
{
	c->in_record = (size_t)(c->at[3] << 8 | c->at[4]);
	c->at += RECORD_HEADER;
}

static inline uint8_t
take_u8(struct cursor *c)
{
	if (c->left == 0) {
		c->overran = true;
		return 0;
	}
	if (c->in_record == 0)
		next_record(c);
	c->in_record--;
	c->left--;
	return *c->at++;
}

static inline uint16_t
take_u16(struct cursor *c)
{
	unsigned high = take_u8(c);

	return (uint16_t)(high << 8 | take_u8(c));
}

/* Takes a length of 16 or 8 bits; true if it is that of all the rest. */
static inline bool
take_length16(struct cursor *c)
{
	size_t length = take_u16(c);

	return !c->overran && length == c->left;
}

static inline bool
take_length8(struct cursor *c)
{
	size_t length = take_u8(c);

	return !c->overran && length == c->left;
}

/* Takes n bytes, into out unless that is NULL. */
static inline void
take_bytes(struct cursor *c, size_t n, uint8_t *out)
{
	if (n > c->left) {
		c->overran = true;
		n = c->left;
	}
	c->left -= n;
	while (n > 0) {
		size_t step;

		if (c->in_record == 0)
			next_record(c);
		step = n < c->in_record ? n : c->in_record;
		if (out) {
			memcpy(out, c->at, step);
			out += step;
		}
		c->at += step;
		c->in_record -= step;
		n -= step;
	}
}

/* The next n bytes as a cursor of their own; c goes on behind them. */
static inline struct cursor
take_vector(struct cursor *c, size_t n)
{
	struct cursor vector = *c;

	take_bytes(c, n, NULL);
	vector.left = c->overran ? 0 : n;
	vector.overran = c->overran;
	return vector;
}

static inline struct clienthello_vector
place_of(const struct cursor *c, const uint8_t *wire)
{
	return (struct clienthello_vector){
		.at = (uint32_t)(c->at - wire),
		.in_record = (uint16_t)c->in_record,
		.bytes = (uint16_t)c->left,
	};
}

static inline struct cursor
cursor_at(const struct clienthello_vector *vector, const uint8_t *wire)
{
	return (struct cursor){
		.at = wire + vector->at,
		.in_record = vector->in_record,
		.left = vector->bytes,
	};
}

#endif
