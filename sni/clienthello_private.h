/*
 * Internal to the parser: the extensions that are looked into.
 */
#ifndef SNI_CLIENTHELLO_PRIVATE_H
#define SNI_CLIENTHELLO_PRIVATE_H

#include "sni/clienthello.h"
#include "sni/reader.h"
#include "sni/reason.h"

/*
 * The place of a vector that c stands on, as an offset from base.  It is final
 * if base is the wire itself, the message lying in one record.
 */
static inline struct clienthello_vector
extension_place(const struct clienthello *hello, struct reader c, const uint8_t *base)
{
	uint32_t at = (uint32_t)(c.at - base);

	return (struct clienthello_vector){
		.at = at,
		.in_record = (uint16_t)(hello->wire_bytes - at),
		.bytes = (uint16_t)left(c),
	};
}

/* Reads the whole block: its framing, its types, and what the hello is to keep. */
enum reason clienthello_read_extensions(
    struct clienthello *hello, struct reader block, const uint8_t *base);

#endif
