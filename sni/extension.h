/*
 * Internal to the parser: the extensions that are looked into.
 */
#ifndef SNI_EXTENSION_H
#define SNI_EXTENSION_H

#include "sni/cursor.h"
#include "sni/reason.h"

/* Reads the whole block: its framing, its types, and what the hello is to keep. */
enum reason extension_read_block(struct clienthello *hello, struct cursor block,
    const uint8_t *wire);

#endif
