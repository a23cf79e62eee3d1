/* One bit at a time: what is summed up here is short and seldom. */
#include "base/crc32c.h"

/* The polynomial 0x1edc6f41, lowest bit first. */
static const uint32_t castagnoli = 0x82f63b78;

uint32_t
crc32c(uint32_t before, const void *data, size_t bytes)
{
	const uint8_t *at = data;
	uint32_t crc = ~before;

	for (size_t i = 0; i < bytes; i++) {
		crc ^= at[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? castagnoli : 0);
	}
	return ~crc;
}
