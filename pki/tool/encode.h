/*
 * A DER writer that works backward: lengths are known when their headers are
 * written, so nothing is measured twice.  Put the last field first:
 *
 *	size_t mark = encode_mark(&encoding);
 *	encode_time(&encoding, revoked_at);
 *	encode_magnitude(&encoding, serial, bytes);
 *	encode_wrap(&encoding, DER_SEQUENCE, mark);
 *
 * Memory exhaustion is remembered; encode_finish() tells at last.
 */
#ifndef PKI_TOOL_ENCODE_H
#define PKI_TOOL_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pki/der.h" /* the tags */

/* {0} is empty; encode_wipe() frees. */
struct encoding {
	uint8_t *storage;
	size_t capacity;
	size_t bytes; /* used, at the end of the storage */
	bool failed;
};

size_t encode_mark(const struct encoding *);
void encode_raw(struct encoding *, const void *, size_t);
/* Puts tag and length before all that was written since the mark. */
void encode_wrap(struct encoding *, uint8_t tag, size_t mark);
/* Not negative, no longer than it must be. */
void encode_number(struct encoding *, uint64_t);
/* A big-endian magnitude as a positive INTEGER. */
void encode_magnitude(struct encoding *, const uint8_t *, size_t);
/* UTCTime up to 2049, GeneralizedTime after (RFC 5280 4.1.2.5). */
void encode_time(struct encoding *, int64_t seconds);
/* What was written, aliasing the writer; NULL when memory was short. */
const uint8_t *encode_finish(const struct encoding *);
void encode_wipe(struct encoding *);

#endif
