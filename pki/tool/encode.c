/* DER from the end to the front (X.690 clause 10). */
#include "pki/tool/encode.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FIRST_CAPACITY = 1024 };

static uint8_t *
front(const struct encoding *encoding)
{
	return encoding->storage + encoding->capacity - encoding->bytes;
}

static bool
make_room(struct encoding *encoding, size_t wanted)
{
	size_t capacity = encoding->capacity ? encoding->capacity : FIRST_CAPACITY;
	uint8_t *storage;

	if (encoding->failed || encoding->capacity - encoding->bytes >= wanted)
		return !encoding->failed;
	while (capacity - encoding->bytes < wanted)
		capacity *= 2;
	storage = malloc(capacity);
	if (!storage) {
		encoding->failed = true;
		return false;
	}
	if (encoding->bytes)
		memcpy(storage + capacity - encoding->bytes, front(encoding), encoding->bytes);
	free(encoding->storage);
	encoding->storage = storage;
	encoding->capacity = capacity;
	return true;
}

size_t
encode_mark(const struct encoding *encoding)
{
	return encoding->bytes;
}

void
encode_raw(struct encoding *encoding, const void *data, size_t bytes)
{
	if (!make_room(encoding, bytes) || bytes == 0)
		return;
	encoding->bytes += bytes;
	memcpy(front(encoding), data, bytes);
}

void
encode_wrap(struct encoding *encoding, uint8_t tag, size_t mark)
{
	uint8_t header[2 + sizeof(size_t)];
	size_t at = sizeof header, length = encoding->bytes - mark;

	if (length < 0x80) {
		header[--at] = (uint8_t)length;
	} else {
		size_t octets = 0;

		for (; length; length >>= 8, octets++)
			header[--at] = (uint8_t)length;
		header[--at] = (uint8_t)(0x80 | octets);
	}
	header[--at] = tag;
	encode_raw(encoding, header + at, sizeof header - at);
}

void
encode_magnitude(struct encoding *encoding, const uint8_t *data, size_t bytes)
{
	size_t mark = encode_mark(encoding);

	while (bytes > 1 && data[0] == 0) {
		data++;
		bytes--;
	}
	encode_raw(encoding, data, bytes);
	if (bytes == 0 || data[0] & 0x80)
		encode_raw(encoding, "", 1);
	encode_wrap(encoding, DER_INTEGER, mark);
}

void
encode_number(struct encoding *encoding, uint64_t number)
{
	uint8_t octets[8];

	for (size_t i = sizeof octets; i-- > 0; number >>= 8)
		octets[i] = (uint8_t)number;
	encode_magnitude(encoding, octets, sizeof octets);
}

void
encode_time(struct encoding *encoding, int64_t seconds)
{
	size_t mark = encode_mark(encoding);
	time_t time = (time_t)seconds;
	char text[32] = "";
	struct tm parts = { 0 };
	bool short_year;

	if (!gmtime_r(&time, &parts) || !strftime(text, sizeof text, "%Y%m%d%H%M%SZ", &parts))
		encoding->failed = true;
	short_year = parts.tm_year < 150;
	encode_raw(encoding, short_year ? text + 2 : text, strlen(short_year ? text + 2 : text));
	encode_wrap(encoding, short_year ? DER_UTC_TIME : DER_GENERALIZED_TIME, mark);
}

const uint8_t *
encode_finish(const struct encoding *encoding)
{
	return encoding->failed ? NULL : front(encoding);
}

void
encode_wipe(struct encoding *encoding)
{
	free(encoding->storage);
	*encoding = (struct encoding){ 0 };
}
