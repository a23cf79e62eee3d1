/*
 * The PROXY protocol, versions 1 and 2 (HAProxy's proxy-protocol.txt): the
 * header before a connection's bytes that says whose connection it is.
 */
#ifndef BASE_PROXY_H
#define BASE_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/address.h"

enum { PROXY_MOST = 536 }; /* v1 is at most 107 bytes; of v2 we write no more than this */
enum proxy_verdict { PROXY_INCOMPLETE, PROXY_COMPLETE, PROXY_MALFORMED };

/* Version 1 or 2; returns the bytes written to `out`.  Addresses of unlike families become
 * UNKNOWN / LOCAL.  authority (NULL or "": none; at most 255 bytes): the name that the connection
 * was routed by, which version 2 carries as PP2_TYPE_AUTHORITY beside the addresses. */
size_t proxy_encode(uint8_t out[PROXY_MOST], int version, const struct address *source,
    const struct address *destination, const char *authority);

/* Reads either version from the first byte on.  COMPLETE sets *header_bytes, and the addresses
 * unless the header says UNKNOWN / LOCAL or names no TCP addresses (then *has_addresses is false).
 * TLVs of v2 are skipped; they may make a header longer than PROXY_MOST, and the caller bounds
 * what it waits for. */
enum proxy_verdict proxy_decode(const uint8_t *data, size_t bytes, size_t *header_bytes,
    bool *has_addresses, struct address *source, struct address *destination);

#endif
