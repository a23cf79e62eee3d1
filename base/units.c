/* Reads numbers with units, and strictly: a guess about a configuration is worse than a refusal. */
#include "base/units.h"

#include <inttypes.h>
#include <nettle/base16.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct unit {
	const char *name;
	uint64_t factor;
};

/* Longer names first where one begins with another. */
static const struct unit duration_units[] = {
	{ "ms", 1 },
	{ "s", 1000 },
	{ "m", 60 * 1000 },
	{ "h", 60 * 60 * 1000 },
	{ "d", 24 * 60 * 60 * 1000 },
	{ NULL, 0 },
};

static const struct unit size_units[] = {
	{ "KiB", 1024 },
	{ "MiB", 1024 * 1024 },
	{ "GiB", 1024 * 1024 * 1024 },
	{ "KB", 1000 },
	{ "MB", 1000 * 1000 },
	{ "GB", 1000 * 1000 * 1000 },
	{ "B", 1 },
	{ NULL, 0 },
};

/* Moves *text behind the digits. */
static bool
take_digits(const char **text, uint64_t *number)
{
	const char *at = *text;

	*number = 0;
	for (; *at >= '0' && *at <= '9'; at++) {
		if (__builtin_mul_overflow(*number, (uint64_t)10, number) ||
		    __builtin_add_overflow(*number, (uint64_t)(*at - '0'), number))
			return false;
	}
	if (at == *text)
		return false;
	*text = at;
	return true;
}

/* Moves *text behind a number with a unit and gives their product. */
static bool
take_amount(const char **text, const struct unit *units, uint64_t *amount)
{
	if (!take_digits(text, amount))
		return false;
	for (; units->name; units++) {
		size_t length = strlen(units->name);

		if (strncmp(*text, units->name, length) != 0)
			continue;
		*text += length;
		return !__builtin_mul_overflow(*amount, units->factor, amount);
	}
	return false;
}

bool
duration_parse(const char *text, uint64_t *ms)
{
	uint64_t total = 0, amount;

	if (strcmp(text, "0") == 0) {
		*ms = 0;
		return true;
	}
	do {
		if (!take_amount(&text, duration_units, &amount) ||
		    __builtin_add_overflow(total, amount, &total))
			return false;
	} while (*text != '\0');
	*ms = total;
	return true;
}

bool
size_parse(const char *text, uint64_t *bytes)
{
	uint64_t amount;

	if (number_parse(text, bytes))
		return true;
	if (!take_amount(&text, size_units, &amount) || *text != '\0')
		return false;
	*bytes = amount;
	return true;
}

bool
number_parse(const char *text, uint64_t *number)
{
	uint64_t value;

	if (!take_digits(&text, &value) || *text != '\0')
		return false;
	*number = value;
	return true;
}

size_t
number_encode(char *out, uint64_t number)
{
	char digits[NUMBER_DIGITS];
	size_t first = sizeof digits;

	do
		digits[--first] = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	memcpy(out, digits + first, sizeof digits - first);
	return sizeof digits - first;
}

char *
hex_encode(char *out, const void *data, size_t bytes)
{
	base16_encode_update(out, bytes, data);
	out[2 * bytes] = '\0';
	return out;
}

/* Nettle skips white space; then the end of the bytes is missing. */
bool
hex_decode(void *out, size_t bytes, const char *text)
{
	struct base16_decode_ctx context;
	size_t done = bytes;

	if (strlen(text) != 2 * bytes)
		return false;
	base16_decode_init(&context);
	return base16_decode_update(&context, &done, out, 2 * bytes, text) && done == bytes &&
	    base16_decode_final(&context);
}

const char *
time_text(int64_t wall_s, char out[TIME_TEXT])
{
	time_t time = (time_t)wall_s;
	struct tm utc;

	if (!gmtime_r(&time, &utc) || strftime(out, TIME_TEXT, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
		snprintf(out, TIME_TEXT, "%" PRId64, wall_s);
	return out;
}
