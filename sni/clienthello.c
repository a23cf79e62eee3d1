/*
 * The ClientHello, read in two steps: walk() follows the record headers as
 * the bytes come in, and once the handshake message is whole, read_message()
 * reads it, in place if it lies in one record.
 */
#include "sni/clienthello.h"

#include <string.h>

#include "sni/reader.h"
#include "sni/clienthello_private.h"
#include "sni/reason.h"

enum {
	RECORD_HEADER = 5,
	RECORD_MOST = 16384, /* RFC 8446 5.1 */
	HANDSHAKE_HEADER = 4,
	RANDOM_BYTES = 32,
	SESSION_ID_MOST = 32,
};

const uint8_t reader_overran[1];

/* ---- the message ---- */

/*
 * Reads the message behind its header, which lies at c in one piece; places are offsets from base.
 * A message that ends early reads as zeros, which no check here lets through:
 * the first field with a wrong length is named.
 */
static enum reason
read_message(struct clienthello *hello, struct reader c, const uint8_t *base)
{
	struct reader part;

	hello->legacy_version = hello->newest_version = take_u16(&c);
	take(&c, RANDOM_BYTES);
	part = take_vector(&c, take_u8(&c));
	if (overran(c) || left(part) > SESSION_ID_MOST)
		return BAD_SESSION_ID;
	hello->session_id = extension_place(hello, part, base);

	part = take_vector(&c, take_u16(&c));
	if (left(part) == 0 || left(part) % 2 != 0)
		return BAD_CIPHER_SUITES;
	hello->cipher_suites = extension_place(hello, part, base);

	part = take_vector(&c, take_u8(&c));
	if (left(part) == 0)
		return BAD_COMPRESSION_METHODS;

	if (left(c) == 0) /* RFC 5246 7.4.1.2: no extensions at all */
		return FINE;
	part = take_vector(&c, take_u16(&c));
	if (overran(c) || left(c) > 0)
		return BAD_EXTENSION_BLOCK;
	hello->extensions = extension_place(hello, part, base);
	return clienthello_read_extensions(hello, part, base);
}

/* From an offset in the message to a place in the wire. */
static void
locate(struct clienthello_vector *vector, const uint8_t *wire)
{
	uint32_t offset = vector->at, at = 0;

	if (vector->bytes == 0)
		return;
	for (;;) {
		uint32_t length = (uint32_t)(wire[at + 3] << 8 | wire[at + 4]);

		if (offset < length) {
			vector->at = at + RECORD_HEADER + offset;
			vector->in_record = (uint16_t)(length - offset);
			return;
		}
		offset -= length;
		at += RECORD_HEADER + length;
	}
}

/* A message of several records is first put together, on the stack. */
static __attribute__((noinline)) enum reason
read_scattered(struct clienthello *hello, const uint8_t *wire)
{
	uint8_t message[CLIENTHELLO_MOST_BYTES];
	struct clienthello_vector *const vectors[] = { &hello->sent_name, &hello->session_id,
		&hello->cipher_suites, &hello->extensions, &hello->alpn, &hello->supported_versions,
		&hello->signature_algorithms };
	size_t bytes = 0;
	enum reason reason;

	for (const uint8_t *at = wire; bytes < hello->hello_bytes;) {
		size_t length = (size_t)(at[3] << 8 | at[4]), wanted = hello->hello_bytes - bytes;
		size_t part = length < wanted ? length : wanted;

		memcpy(message + bytes, at + RECORD_HEADER, part);
		bytes += part;
		at += RECORD_HEADER + length;
	}
	reason = read_message(
	    hello, (struct reader){ message + HANDSHAKE_HEADER, message + bytes }, message);
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
		locate(vectors[i], wire);
	return reason;
}

/*
 * The message is whole.  It must end where its last record does (RFC 8446 5.1);
 * what is wrong inside it is more telling and comes first.
 */
static enum reason
read_records(struct clienthello *hello, const uint8_t *wire)
{
	const uint8_t *message = wire + RECORD_HEADER;
	enum reason reason;

	hello->wire_bytes = hello->next_record;
	if (hello->record_count > 1)
		reason = read_scattered(hello, wire);
	else
		reason = read_message(hello,
		    (struct reader){ message + HANDSHAKE_HEADER, message + hello->hello_bytes },
		    wire);
	if (reason == FINE && hello->gathered > hello->hello_bytes)
		return BYTES_BEHIND_HELLO;
	return reason;
}

/* ---- the records ---- */

/* Judges what has come of a record header, at least a byte, each as soon as it is there. */
static enum reason
judge_record_header(const struct clienthello *hello, const uint8_t *header, size_t bytes)
{
	bool first = hello->next_record == 0;
	size_t length;

	if (header[0] != 22)
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

/* Takes what this record adds to the handshake header, at least a byte, and judges it. */
static enum reason
judge_handshake_header(struct clienthello *hello, const uint8_t *payload, size_t bytes)
{
	const uint8_t *header = hello->handshake_header;
	size_t have = hello->gathered;

	if (have == 0 && bytes >= HANDSHAKE_HEADER) {
		memcpy(hello->handshake_header, payload, HANDSHAKE_HEADER);
		have = HANDSHAKE_HEADER;
	}
	for (size_t i = 0; i < bytes && have < HANDSHAKE_HEADER; i++)
		hello->handshake_header[have++] = payload[i];
	if (header[0] != 1)
		return NOT_CLIENT_HELLO;
	if (have < HANDSHAKE_HEADER)
		return FINE;
	hello->hello_bytes =
	    HANDSHAKE_HEADER + ((uint32_t)header[1] << 16 | (uint32_t)header[2] << 8 | header[3]);
	return hello->hello_bytes > hello->most_bytes ? HELLO_TOO_LARGE : FINE;
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
		reason = judge_handshake_header(
		    hello, header + RECORD_HEADER, there < length ? there : length);
		if (reason != FINE || there < length)
			return reason;
		hello->gathered += (uint32_t)length;
		hello->next_record += (uint32_t)(RECORD_HEADER + length);
		hello->record_count++;
		if (hello->gathered >= HANDSHAKE_HEADER && hello->gathered >= hello->hello_bytes) {
			*done = true;
			return read_records(hello, wire);
		}
	}
	return FINE;
}

/* ---- what others call ---- */

/* Field by field: a call of memset would cost as much as the rest of a hello's records. */
void
clienthello_init(struct clienthello *hello, size_t most_bytes)
{
	static const struct clienthello_vector none;

	if (most_bytes > CLIENTHELLO_MOST_BYTES)
		most_bytes = CLIENTHELLO_MOST_BYTES;
	hello->verdict = CLIENTHELLO_INCOMPLETE;
	hello->reason = FINE;
	memcpy(hello->handshake_header, "\0\0\0", sizeof hello->handshake_header);
	hello->has_name = hello->has_alpn = hello->tls13 = false;
	hello->ech = hello->early_data = hello->post_quantum = false;
	hello->most_bytes = (uint32_t)most_bytes;
	hello->next_record = hello->gathered = 0;
	hello->record_count = hello->hello_bytes = hello->wire_bytes = 0;
	hello->legacy_version = hello->newest_version = 0;
	hello->sent_name = hello->session_id = hello->cipher_suites = none;
	hello->extensions = hello->alpn = none;
	hello->supported_versions = hello->signature_algorithms = none;
	hello->server_name[0] = 0;
}

enum clienthello_verdict
clienthello_read(struct clienthello *hello, const uint8_t *wire, size_t wire_bytes)
{
	bool done = false;

	if (hello->verdict != CLIENTHELLO_INCOMPLETE)
		return hello->verdict;
	hello->reason = (uint16_t)walk(hello, wire, wire_bytes, &done);
	if (hello->reason == NOT_HANDSHAKE || hello->reason == NOT_TLS_VERSION)
		hello->verdict = CLIENTHELLO_NOT_TLS;
	else if (hello->reason != FINE)
		hello->verdict = CLIENTHELLO_MALFORMED;
	else if (done)
		hello->verdict = CLIENTHELLO_COMPLETE;
	return hello->verdict;
}

enum clienthello_verdict
clienthello_read_body(struct clienthello *hello, const uint8_t *body, size_t bytes)
{
	clienthello_init(hello, CLIENTHELLO_MOST_BYTES);
	hello->wire_bytes = (uint32_t)bytes;
	if (bytes > CLIENTHELLO_MOST_BYTES - HANDSHAKE_HEADER)
		hello->reason = HELLO_TOO_LARGE;
	else
		hello->reason =
		    (uint16_t)read_message(hello, (struct reader){ body, body + bytes }, body);
	hello->verdict = hello->reason == FINE ? CLIENTHELLO_COMPLETE : CLIENTHELLO_MALFORMED;
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
