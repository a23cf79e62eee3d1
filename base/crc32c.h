/*
 * CRC32c (Castagnoli), as RFC 4960, appendix B, has it.  A checksum against accidents, not
 * against people.
 */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Of bytes in several pieces: begin with 0, and give the last answer to the next call. */
uint32_t crc32c(uint32_t before, const void *data, size_t bytes);

#endif
