/*
 * A reader of DER (X.690) on a cursor: definite lengths in their shortest form,
 * tags below 31, nothing else.  It copies nothing; what it yields aliases the input.
 * A failure sticks to the cursor, so callers read on and ask once.
 */
#ifndef PKI_DER_H
#define PKI_DER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"

/* Some bytes in DER, or any others; borrowed from whoever said so. */
struct der {
	const uint8_t *data;
	size_t bytes;
};

enum der_tag {
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_BIT_STRING = 0x03,
	DER_OCTET_STRING = 0x04,
	DER_OID = 0x06,
	DER_ENUMERATED = 0x0a,
	DER_UTC_TIME = 0x17,
	DER_GENERALIZED_TIME = 0x18,
	DER_SEQUENCE = 0x30,
	DER_SET = 0x31,
	DER_CONTEXT = 0x80, /* [n] of a primitive type; | 0x20 for a constructed one */
	DER_CONTEXT_SEQUENCE = 0xa0,
};

/* The next element whatever it is: its contents, and its tag if asked. */
struct der der_any(struct cursor *, unsigned *tag);

/* These are inline because a large CRL has half a million elements, nearly all of them with a
 * length of one octet. */

/* The next element's tag without reading it; 0 at the end or after a failure. */
static inline unsigned
der_peek(const struct cursor *in)
{
	return in->failed || in->left == 0 ? 0 : in->at[0];
}

/* The contents of the next element, which must have this tag. */
static inline struct der
der_read(struct cursor *in, unsigned tag)
{
	if (der_peek(in) != tag) {
		in->failed = true;
		return (struct der){ 0 };
	}
	if (in->left < 2 || in->at[1] >= 0x80 || in->at[1] > in->left - 2)
		return der_any(in, NULL);
	struct der contents = { in->at + 2, in->at[1] };
	in->at += 2 + contents.bytes;
	in->left -= 2 + contents.bytes;
	return contents;
}

static inline struct cursor
der_over(struct der der)
{
	return (struct cursor){ .at = der.data, .left = der.bytes };
}

/* If the next element has this tag, reads it into out and says so. */
static inline bool
der_optional(struct cursor *in, unsigned tag, struct der *out)
{
	if (der_peek(in) != tag)
		return false;
	*out = der_read(in, tag);
	return !in->failed;
}

/* The same as a cursor over the contents. */
struct cursor der_enter(struct cursor *, unsigned tag);
/* The next element with its header, which must have this tag. */
struct der der_whole(struct cursor *, unsigned tag);
/* A BOOLEAN DEFAULT FALSE, which DER leaves out when it is false (X.690, 11.5). */
bool der_default_false(struct cursor *, unsigned tag);
/* An INTEGER from 0 to `most`. */
uint64_t der_unsigned(struct cursor *, unsigned tag, uint64_t most);
/* A Time of RFC 5280, 4.1.2.5, in seconds since 1970. */
int64_t der_time(struct cursor *);
/* A BIT STRING of whole octets, without its first octet. */
struct der der_bits(struct cursor *);

/* The next Extension of RFC 5280, 4.1: its value as a cursor; a malformed one fails the list. */
struct cursor der_extension(struct cursor *list, struct der *oid, bool *critical);

bool der_equal(struct der, struct der);
/* Whether the contents of an OBJECT IDENTIFIER are one: every arc ends, and is in its shortest form. */
bool der_oid_is_sound(struct der);
/* Whether the contents of an OBJECT IDENTIFIER are this one, in dotted form, arcs below 2^64. */
bool der_oid_is(struct der, const char *dotted);
/* The contents of one in dotted form; "(no OID)" if they are none, or too long.  Returns out. */
const char *der_oid_text(struct der, char *out, size_t out_bytes);

/*
 * A serial number as every module here compares it: the two's complement octets
 * in their shortest form, so that one number has one form however it was written.
 * RFC 5280 allows 20 octets; a sign octet before the 20th is common, so 21.
 */
enum { SERIAL_BYTES = 21 };
struct serial {
	uint8_t data[SERIAL_BYTES]; /* the rest is zero */
	uint8_t bytes;
};

/* The contents of an INTEGER without the octets that repeat its sign. */
struct der der_shortest(struct der integer);
/* False if the contents of this INTEGER are empty or too long. */
bool serial_of(struct serial *, struct der integer);
/* An order to search by; it is not that of the numbers. */
int serial_compare(const struct serial *, const struct serial *);
/* Upper-case hexadecimal, two digits an octet; returns out. */
enum { SERIAL_TEXT = 2 * SERIAL_BYTES + 1 };
const char *serial_text(const struct serial *, char out[SERIAL_TEXT]);

#endif
