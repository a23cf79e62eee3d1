/*
 * DER elements off a cursor.  Every length is checked against what is left before
 * anything is read, in der_any() and, if it has one octet, in der_read() of the header.
 */
#include "pki/der.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct der
fail(struct cursor *in)
{
	in->failed = true;
	return (struct der){ 0 };
}

/* Octets of the length field; its value goes to *bytes.  0 if it is not DER. */
static size_t
length_octets(const uint8_t *at, size_t left, size_t *bytes)
{
	if (left == 0)
		return 0;
	if (at[0] < 0x80) {
		*bytes = at[0];
		return 1;
	}
	size_t octets = at[0] & 0x7fu;
	if (octets == 0 || octets > 4 || left < 1 + octets || at[1] == 0)
		return 0;
	size_t value = 0;
	for (size_t i = 1; i <= octets; i++)
		value = value << 8 | at[i];
	*bytes = value;
	return value < 0x80 ? 0 : 1 + octets;
}

struct der
der_any(struct cursor *in, unsigned *tag)
{
	if (in->failed || in->left < 2 || in->at[0] == 0 || (in->at[0] & 0x1f) == 0x1f)
		return fail(in);
	size_t bytes;
	size_t header = length_octets(in->at + 1, in->left - 1, &bytes);
	if (header == 0 || bytes > in->left - 1 - header)
		return fail(in);
	if (tag)
		*tag = in->at[0];
	struct der contents = { in->at + 1 + header, bytes };
	in->at = contents.data + bytes;
	in->left -= 1 + header + bytes;
	return contents;
}

struct cursor
der_enter(struct cursor *in, unsigned tag)
{
	struct der contents = der_read(in, tag);
	return (struct cursor){ .at = contents.data, .left = contents.bytes, .failed = in->failed };
}

struct der
der_whole(struct cursor *in, unsigned tag)
{
	const uint8_t *start = in->at;
	der_read(in, tag);
	return in->failed ? (struct der){ 0 } : (struct der){ start, (size_t)(in->at - start) };
}

bool
der_default_false(struct cursor *in, unsigned tag)
{
	struct der value;
	if (!der_optional(in, tag, &value))
		return false;
	if (value.bytes != 1 || value.data[0] != 0xff)
		in->failed = true;
	return true;
}

uint64_t
der_unsigned(struct cursor *in, unsigned tag, uint64_t most)
{
	struct der value = der_read(in, tag);
	if (value.bytes == 0 || value.bytes > 9 || value.data[0] & 0x80 ||
	    (value.bytes > 1 && value.data[0] == 0 && !(value.data[1] & 0x80)) ||
	    (value.bytes == 9 && value.data[0] != 0)) {
		in->failed = true;
		return 0;
	}
	uint64_t number = 0;
	for (size_t i = 0; i < value.bytes; i++)
		number = number << 8 | value.data[i];
	if (number > most)
		in->failed = true;
	return number;
}

struct der
der_bits(struct cursor *in)
{
	struct der bits = der_read(in, DER_BIT_STRING);
	if (bits.bytes == 0 || bits.data[0] != 0)
		return fail(in);
	return (struct der){ bits.data + 1, bits.bytes - 1 };
}

static int
two_digits(const uint8_t *at)
{
	unsigned tens = (unsigned)at[0] - '0', ones = (unsigned)at[1] - '0';
	return tens > 9 || ones > 9 ? -1 : (int)(tens * 10 + ones);
}

static int32_t
leap_days_before(int32_t year)
{
	year--;
	return year / 4 - year / 100 + year / 400;
}

/* Seconds since 1970 of "MMDDHHMMSSZ" in this year; -1 if any part is out of its range.  libc's
 * timegm takes a lock, and with it a large CRL takes half as long again to read. */
static int64_t
time_in_year(const uint8_t *at, int32_t year)
{
	static const int before[13] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334,
		365 };
	int month = two_digits(at), day = two_digits(at + 2), hour = two_digits(at + 4);
	int minute = two_digits(at + 6), second = two_digits(at + 8);
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	if (month < 1 || month > 12 || day < 1 || hour < 0 || hour > 23 || minute < 0 ||
	    minute > 59 || second < 0 || second > 59 || at[10] != 'Z' ||
	    day > before[month] - before[month - 1] + (month == 2 && leap))
		return -1;
	int32_t days = 365 * (year - 1970) + leap_days_before(year) - leap_days_before(1970) +
	    before[month - 1] + (month > 2 && leap) + day - 1;
	return (int64_t)days * 86400 + hour * 3600 + minute * 60 + second;
}

int64_t
der_time(struct cursor *in)
{
	unsigned tag = der_peek(in);
	struct der text = der_read(in, tag);
	bool utc = tag == DER_UTC_TIME && text.bytes == 13;
	if (in->failed || !(utc || (tag == DER_GENERALIZED_TIME && text.bytes == 15))) {
		in->failed = true;
		return 0;
	}
	int first = two_digits(text.data), second = utc ? 0 : two_digits(text.data + 2);
	int32_t year = utc ? first + (first < 50 ? 2000 : 1900) : first * 100 + second;
	int64_t time = time_in_year(text.data + (utc ? 2 : 4), year);
	/* -1 stands for a bad form, and is a second nobody will miss. */
	in->failed = first < 0 || second < 0 || time == -1;
	return time;
}

struct cursor
der_extension(struct cursor *list, struct der *oid, bool *critical)
{
	struct cursor extension = der_enter(list, DER_SEQUENCE);
	*oid = der_read(&extension, DER_OID);
	*critical = der_default_false(&extension, DER_BOOLEAN);
	struct cursor value = der_over(der_read(&extension, DER_OCTET_STRING));
	if (!cursor_end(&extension))
		list->failed = true;
	return value;
}

bool
der_equal(struct der a, struct der b)
{
	return a.bytes == b.bytes && (a.bytes == 0 || memcmp(a.data, b.data, a.bytes) == 0);
}

/* One arc in base 128, shortest form. */
static size_t
arc_encode(uint64_t arc, uint8_t *out)
{
	size_t octets = 1;
	for (uint64_t rest = arc >> 7; rest != 0; rest >>= 7)
		octets++;
	for (size_t i = 0; i < octets; i++)
		out[i] =
		    (uint8_t)((arc >> (7 * (octets - 1 - i)) & 0x7f) | (i + 1 < octets ? 0x80 : 0));
	return octets;
}

bool
der_oid_is(struct der oid, const char *dotted)
{
	char *end;
	uint64_t first = strtoull(dotted, &end, 10);
	uint64_t arc = first * 40 + strtoull(end + 1, &end, 10);
	for (size_t at = 0;; arc = strtoull(end + 1, &end, 10)) {
		uint8_t octets[10];
		size_t bytes = arc_encode(arc, octets);
		if (oid.bytes - at < bytes || memcmp(oid.data + at, octets, bytes) != 0)
			return false;
		at += bytes;
		if (*end == '\0')
			return at == oid.bytes;
	}
}

bool
der_oid_is_sound(struct der oid)
{
	bool begins = true;
	for (size_t i = 0; i < oid.bytes; i++) {
		if (begins && oid.data[i] == 0x80)
			return false;
		begins = !(oid.data[i] & 0x80);
	}
	return oid.bytes > 0 && begins;
}

/* The next arc, of at most 63 bits. */
static bool
arc_decode(struct der oid, size_t *at, uint64_t *arc)
{
	*arc = 0;
	while (*at < oid.bytes && *arc <= UINT64_MAX >> 8) {
		uint8_t octet = oid.data[(*at)++];
		*arc = *arc << 7 | (octet & 0x7f);
		if (!(octet & 0x80))
			return true;
	}
	return false;
}

const char *
der_oid_text(struct der oid, char *out, size_t out_bytes)
{
	uint64_t arc;
	size_t at = 0, used = 0;
	bool good = arc_decode(oid, &at, &arc);
	if (good) {
		uint64_t first = arc < 80 ? arc / 40 : 2;
		used = (size_t)snprintf(
		    out, out_bytes, "%" PRIu64 ".%" PRIu64, first, arc - 40 * first);
	}
	while (good && used < out_bytes && at < oid.bytes) {
		good = arc_decode(oid, &at, &arc);
		used += (size_t)snprintf(out + used, out_bytes - used, ".%" PRIu64, arc);
	}
	if (!good || used >= out_bytes)
		snprintf(out, out_bytes, "(no OID)");
	return out;
}

struct der
der_shortest(struct der integer)
{
	while (integer.bytes > 1 &&
	    ((integer.data[0] == 0 && !(integer.data[1] & 0x80)) ||
		(integer.data[0] == 0xff && (integer.data[1] & 0x80)))) {
		integer.data++;
		integer.bytes--;
	}
	return integer;
}

bool
serial_of(struct serial *out, struct der integer)
{
	integer = der_shortest(integer);
	*out = (struct serial){ 0 };
	if (integer.bytes == 0 || integer.bytes > SERIAL_BYTES)
		return false;
	out->bytes = (uint8_t)integer.bytes;
	memcpy(out->data, integer.data, integer.bytes);
	return true;
}

int
serial_compare(const struct serial *a, const struct serial *b)
{
	uint64_t x, y;
	memcpy(&x, a->data, sizeof x);
	memcpy(&y, b->data, sizeof y);
	return x == y ? memcmp(a, b, sizeof *a) : be64toh(x) < be64toh(y) ? -1 : 1;
}

const char *
serial_text(const struct serial *serial, char out[SERIAL_TEXT])
{
	static const char digits[] = "0123456789ABCDEF";
	size_t start = serial->bytes > 1 && serial->data[0] == 0 ? 1 : 0, at = 0;
	for (size_t i = start; i < serial->bytes; i++) {
		out[at++] = digits[serial->data[i] >> 4];
		out[at++] = digits[serial->data[i] & 15];
	}
	out[at] = '\0';
	return out;
}
