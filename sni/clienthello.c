/*
 * The ClientHello, read in two steps: walk() follows the record headers as
 * the bytes come in, and once the handshake message is whole, read_body()
 * reads it in place through a cursor that hops from record to record.
 */
#include "sni/clienthello.h"

#include <string.h>

#include "sni/cursor.h"
#include "sni/extension.h"
#include "sni/reason.h"

enum {
	RECORD_MOST = 16384,	/* RFC 8446 5.1 */
	HANDSHAKE_HEADER = 4,
	RANDOM_BYTES = 32,
	SESSION_ID_MOST = 32,
};

/* ---- the body ---- */

/*
 * c holds the message behind its handshake header.  A message that ends early
 * reads as zeros, which no check here lets through: the first field whose
 * length is wrong is the one that is named.
 */
static enum reason
read_body(struct clienthello *hello, struct cursor c, const uint8_t *wire)
{
	struct cursor part;

	hello->legacy_version = hello->newest_version = take_u16(&c);
	take_bytes(&c, RANDOM_BYTES, NULL);
	part = take_vector(&c, take_u8(&c));
	if (c.overran || part.left > SESSION_ID_MOST)
		return BAD_SESSION_ID;
	hello->session_id = place_of(&part, wire);

	part = take_vector(&c, take_u16(&c));
	if (part.left == 0 || part.left % 2 != 0)
		return BAD_CIPHER_SUITES;
	hello->cipher_suites = place_of(&part, wire);

	part = take_vector(&c, take_u8(&c));
	if (part.left == 0)
		return BAD_COMPRESSION_METHODS;

	if (c.left == 0)	/* RFC 5246 7.4.1.2: no extensions at all */
		return FINE;
	part = take_vector(&c, take_u16(&c));
	if (c.overran || c.left > 0)
		return BAD_EXTENSION_BLOCK;
	return extension_read_block(hello, part, wire);
}

/* ---- the records ---- */

/* Judges what has come of a record header, each byte as soon as it is there. */
static enum reason
judge_record_header(const struct clienthello *hello, const uint8_t *header, size_t bytes)
{
	bool first = hello->next_record == 0;
	size_t length;

	if (bytes > 0 && header[0] != 22)
		return first ? NOT_HANDSHAKE : RECORD_TYPE;
	if (bytes > 1 && header[1] != 3)
		return first ? NOT_TLS_VERSION : RECORD_VERSION;
	if (bytes < RECORD_HEADER)
		return FINE;
	length = (size_t)(header[3] << 8 | header[4]);
	if (length == 0)
		return RECORD_EMPTY;
	if (length > RECORD_MOST)
		return RECORD_TOO_LARGE;
	/* No record of a hello within its bound ends past that (see header). */
	if (hello->next_record + RECORD_HEADER + length >
	    (size_t)CLIENTHELLO_WIRE_FACTOR * hello->most_bytes)
		return HELLO_TOO_LARGE;
	return FINE;
}

/* Takes what this record adds to the handshake header, and judges it. */
static enum reason
judge_handshake_header(struct clienthello *hello, const uint8_t *payload, size_t bytes)
{
	const uint8_t *header = hello->handshake_header;
	size_t have = hello->gathered;

	for (size_t i = 0; i < bytes && have < HANDSHAKE_HEADER; i++)
		hello->handshake_header[have++] = payload[i];
	if (have > 0 && header[0] != 1)
		return NOT_CLIENT_HELLO;
	if (have < HANDSHAKE_HEADER)
		return FINE;
	hello->hello_bytes = HANDSHAKE_HEADER +
	    ((uint32_t)header[1] << 16 | (uint32_t)header[2] << 8 | header[3]);
	return hello->hello_bytes > hello->most_bytes ? HELLO_TOO_LARGE : FINE;
}

/* The message is whole, in whole records that end at next_record. */
static enum reason
read_message(struct clienthello *hello, const uint8_t *wire)
{
	struct cursor c = { .at = wire, .left = hello->hello_bytes };

	/* RFC 8446 5.1: a ClientHello must end where its record ends. */
	if (hello->gathered > hello->hello_bytes)
		return BYTES_BEHIND_HELLO;
	hello->wire_bytes = hello->next_record;
	take_bytes(&c, HANDSHAKE_HEADER, NULL);
	return read_body(hello, c, wire);
}

/* Goes on from next_record as far as whole records go; *done: to the end. */
static enum reason
walk(struct clienthello *hello, const uint8_t *wire, size_t wire_bytes, bool *done)
{
	while (hello->next_record < wire_bytes) {
		const uint8_t *header = wire + hello->next_record;
		size_t there = wire_bytes - hello->next_record;
		size_t length;
		enum reason reason = judge_record_header(hello, header, there);

		if (reason != FINE || there <= RECORD_HEADER)
			return reason;
		there -= RECORD_HEADER;
		length = (size_t)(header[3] << 8 | header[4]);
		reason = judge_handshake_header(hello, header + RECORD_HEADER,
		    there < length ? there : length);
		if (reason != FINE || there < length)
			return reason;
		hello->gathered += (uint32_t)length;
		hello->next_record += (uint32_t)(RECORD_HEADER + length);
		hello->record_count++;
		if (hello->gathered >= HANDSHAKE_HEADER &&
		    hello->gathered >= hello->hello_bytes) {
			*done = true;
			return read_message(hello, wire);
		}
	}
	return FINE;
}

/* ---- what others call ---- */

void
clienthello_init(struct clienthello *hello, size_t most_bytes)
{
	if (most_bytes > CLIENTHELLO_MOST_BYTES)
		most_bytes = CLIENTHELLO_MOST_BYTES;
	memset(hello, 0, sizeof *hello);
	hello->verdict = CLIENTHELLO_INCOMPLETE;
	hello->most_bytes = (uint32_t)most_bytes;
}

enum clienthello_verdict
clienthello_read(struct clienthello *hello, const uint8_t *wire, size_t wire_bytes)
{
	bool done = false;

	if (hello->verdict != CLIENTHELLO_INCOMPLETE)
		return hello->verdict;
	hello->reason = (uint8_t)walk(hello, wire, wire_bytes, &done);
	if (hello->reason == NOT_HANDSHAKE || hello->reason == NOT_TLS_VERSION)
		hello->verdict = CLIENTHELLO_NOT_TLS;
	else if (hello->reason != FINE)
		hello->verdict = CLIENTHELLO_MALFORMED;
	else if (done)
		hello->verdict = CLIENTHELLO_COMPLETE;
	return hello->verdict;
}

const char *
clienthello_reason(const struct clienthello *hello)
{
	return reason_word((enum reason)hello->reason);
}

uint8_t
clienthello_alert(const struct clienthello *hello)
{
	return reason_alert((enum reason)hello->reason);
}

const char *
clienthello_verdict_name(enum clienthello_verdict verdict)
{
	static const char *const names[] = {
		[CLIENTHELLO_INCOMPLETE] = "incomplete",
		[CLIENTHELLO_COMPLETE] = "complete",
		[CLIENTHELLO_NOT_TLS] = "not-tls",
		[CLIENTHELLO_MALFORMED] = "malformed",
	};

	return names[verdict];
}

bool
clienthello_is_grease(uint16_t value)
{
	return (value & 0x0f0f) == 0x0a0a && value >> 8 == (value & 0xff);
}

bool
clienthello_next_u16(struct clienthello_vector *vector, const uint8_t *wire, uint16_t *value)
{
	struct cursor c = cursor_at(vector, wire);

	*value = take_u16(&c);
	*vector = place_of(&c, wire);
	return !c.overran;
}

bool
clienthello_next_string(struct clienthello_vector *vector, const uint8_t *wire,
    char out[256], size_t *bytes)
{
	struct cursor c = cursor_at(vector, wire);

	*bytes = take_u8(&c);
	take_bytes(&c, *bytes, (uint8_t *)out);
	out[*bytes] = 0;
	*vector = place_of(&c, wire);
	return !c.overran;
}

bool
clienthello_next_extension(struct clienthello_vector *vector, const uint8_t *wire,
    uint16_t *type, struct clienthello_vector *body)
{
	struct cursor c = cursor_at(vector, wire), inner;

	*type = take_u16(&c);
	inner = take_vector(&c, take_u16(&c));
	*body = place_of(&inner, wire);
	*vector = place_of(&c, wire);
	return !c.overran;
}

size_t
clienthello_copy(const struct clienthello_vector *vector, const uint8_t *wire,
    void *out, size_t size)
{
	struct cursor c = cursor_at(vector, wire);

	take_bytes(&c, size < vector->bytes ? size : vector->bytes, out);
	return vector->bytes;
}

bool
clienthello_alpn(const struct clienthello *hello, const uint8_t *wire,
    size_t index, char out[256], size_t *bytes)
{
	struct clienthello_vector names = hello->alpn;

	while (clienthello_next_string(&names, wire, out, bytes))
		if (index-- == 0)
			return true;
	return false;
}

bool
clienthello_offers_alpn(const struct clienthello *hello, const uint8_t *wire,
    const char *protocol)
{
	struct clienthello_vector names = hello->alpn;
	size_t wanted = strlen(protocol), bytes;
	char name[256];

	while (clienthello_next_string(&names, wire, name, &bytes))
		if (bytes == wanted && memcmp(name, protocol, bytes) == 0)
			return true;
	return false;
}
