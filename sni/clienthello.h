/*
 * The label reader: what a TLS ClientHello says, from the bytes that a client
 * sent first, without ending TLS.
 *
 * The caller keeps every byte from the connection's first one in one buffer
 * that only grows (a relay must hold them anyway, to pass them on), and shows
 * all of them each time more arrive:
 *
 *	struct clienthello hello;
 *
 *	clienthello_init(&hello, CLIENTHELLO_DEFAULT_BYTES);
 *	for (;;) {
 *		bytes += read(fd, wire + bytes, sizeof wire - bytes);
 *		switch (clienthello_read(&hello, wire, bytes)) {
 *		case CLIENTHELLO_INCOMPLETE: continue;      (under a deadline)
 *		case CLIENTHELLO_COMPLETE:   route by hello.server_name
 *		case CLIENTHELLO_NOT_TLS:    close
 *		case CLIENTHELLO_MALFORMED:  send clienthello_alert(), close
 *		}
 *	}
 *
 * The buffer may move between calls but its bytes must stay.  However
 * the stream is cut, the answer is that of one read.  A verdict other than
 * incomplete is final, and bytes behind the hello are not looked at.
 *
 * A hello may span any number of TLS records, down to one byte each: the
 * record headers are walked as they arrive, and once the message is whole it
 * is read, in place if it lies in one record (nearly always), else from a copy
 * on the stack (64 KiB).  So the time is O(n) for any cutting, the state is this
 * struct (at most 512 bytes, a test holds it to that), and there is no
 * allocation, no global, no I/O, no library but libc.
 *
 * Framing follows RFC 8446 (4, 4.1.2, 4.2, 5.1) and, where that leaves a choice,
 * the strict reading that endpoints share: whatever GnuTLS refuses while it
 * parses is malformed here too, but for `_` in names.  See README.md for the
 * list of what is refused.
 */
#ifndef SNI_CLIENTHELLO_H
#define SNI_CLIENTHELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sni/name.h"

enum clienthello_verdict {
	CLIENTHELLO_INCOMPLETE, /* could still become complete: wait for more */
	CLIENTHELLO_COMPLETE,   /* with a name or without one: see has_name */
	CLIENTHELLO_NOT_TLS,    /* the first bytes are no TLS handshake record */
	CLIENTHELLO_MALFORMED,  /* begins as one, can never be a ClientHello */
};

enum {
	CLIENTHELLO_DEFAULT_BYTES = 16384, /* every endpoint takes this much */
	CLIENTHELLO_MOST_BYTES = 65536,
	/*
	 * A hello of n bytes takes at most 6 n bytes on the wire: records are
	 * never empty, so at worst each carries one byte behind its header of
	 * five.  Nothing need be held beyond that for a verdict.
	 */
	CLIENTHELLO_WIRE_FACTOR = 6,
	CLIENTHELLO_MOST_EXTENSIONS = 256,
};

/*
 * A vector of the hello, as a place in the wire bytes; all zero if absent.
 * It keeps its meaning when the buffer moves.  To iterate, copy it and feed
 * the copy to the clienthello_next functions below.
 */
struct clienthello_vector {
	uint32_t at;        /* offset in the wire of the next byte */
	uint16_t in_record; /* bytes that its record still holds */
	uint16_t bytes;     /* bytes of the vector that are left */
};

/* Everything but verdict is meaningful only once that is complete. */
struct clienthello {
	enum clienthello_verdict verdict;
	uint16_t reason;             /* see clienthello_reason() */
	uint8_t handshake_header[4]; /* (internal) as far as it came */

	bool has_name; /* a host_name, to be found in server_name */
	bool has_alpn;
	bool tls13; /* supported_versions lists 0x0304 */
	bool ech;   /* extension 0xfe0d is there, real or GREASE */
	bool early_data;
	bool post_quantum; /* a key share that is (also) post-quantum */

	uint32_t most_bytes;  /* (internal) refuse a longer hello */
	uint32_t next_record; /* (internal) offset of the next record */
	uint32_t gathered;    /* (internal) message bytes before that */

	uint32_t record_count; /* records that carry the hello */
	uint32_t hello_bytes;  /* handshake message, its header included */
	uint32_t wire_bytes;   /* offset just past the hello's last record */

	uint16_t legacy_version;
	uint16_t newest_version; /* offered, GREASE apart: 0x0304 is TLS 1.3 */

	/* The values of the lists as they stand on the wire, in its order. */
	struct clienthello_vector sent_name; /* host_name as sent */
	struct clienthello_vector session_id;
	struct clienthello_vector cipher_suites;        /* of 16 bits each */
	struct clienthello_vector extensions;           /* the whole block */
	struct clienthello_vector alpn;                 /* 8-bit length each */
	struct clienthello_vector supported_versions;   /* of 16 bits each */
	struct clienthello_vector signature_algorithms; /* of 16 bits each */

	char server_name[NAME_SIZE]; /* normalised; "" without a name */
};

/* most_bytes bounds the handshake message; at most CLIENTHELLO_MOST_BYTES. */
void clienthello_init(struct clienthello *hello, size_t most_bytes);

/* wire: everything the client has sent so far, wire_bytes bytes of it. */
enum clienthello_verdict clienthello_read(
    struct clienthello *hello, const uint8_t *wire, size_t wire_bytes);

/*
 * Reads a hello that somebody else has taken out of its records: all that stands behind the four
 * bytes of its header.  Complete or malformed, which it is beyond CLIENTHELLO_MOST_BYTES, too; the
 * vectors are places in the body, which stands for the wire below.
 */
enum clienthello_verdict clienthello_read_body(
    struct clienthello *hello, const uint8_t *body, size_t bytes);

/*
 * Why a hello is not-tls or malformed, as a stable word ("duplicate-extension"),
 * and the TLS alert that says so to the client.  "" and 0 for the other
 * verdicts; 0 for not-tls, whose sender would not understand one.
 */
const char *clienthello_reason(const struct clienthello *hello);
uint8_t clienthello_alert(const struct clienthello *hello);

/* "incomplete", "complete", "not-tls", "malformed" */
const char *clienthello_verdict_name(enum clienthello_verdict verdict);

/*
 * The rest is for a complete hello only, with the bytes it was read from.
 */

/*
 * ALPN protocol names in the client's order, counted from 0: each is 1..255
 * bytes of any value.  out gets them and a NUL behind (there may be others
 * within).  False past the last one.
 */
bool clienthello_alpn(const struct clienthello *hello, const uint8_t *wire, size_t index,
    char out[256], size_t *bytes);

/* Compared octet by octet, as RFC 7301 3.1 wants it. */
bool clienthello_offers_alpn(
    const struct clienthello *hello, const uint8_t *wire, const char *protocol);

/* Offers this one protocol and no other. */
bool clienthello_offers_only_alpn(
    const struct clienthello *hello, const uint8_t *wire, const char *protocol);

/* The first identity of a pre-shared key that is offered (RFC 8446 4.2.11), with a NUL behind it.  False:
 * there is none, or none that is a text of less than `size` bytes. */
bool clienthello_psk_identity(
    const struct clienthello *hello, const uint8_t *wire, char *out, size_t size);

/* Each takes one item off the front of a vector; false when none is left. */
bool clienthello_next_u16(struct clienthello_vector *vector, const uint8_t *wire, uint16_t *value);
bool clienthello_next_string(
    struct clienthello_vector *vector, const uint8_t *wire, char out[256], size_t *bytes);
bool clienthello_next_extension(struct clienthello_vector *vector, const uint8_t *wire,
    uint16_t *type, struct clienthello_vector *body);

/* RFC 8701: a value that says nothing, sent so that nobody chokes on new ones. */
static inline bool
clienthello_is_grease(uint16_t value)
{
	return (value & 0x0f0f) == 0x0a0a && value >> 8 == (value & 0xff);
}

/* Copies at most size bytes of a vector, raw; returns how many there were to copy. */
size_t clienthello_copy(
    const struct clienthello_vector *vector, const uint8_t *wire, void *out, size_t size);

#endif
