/*
 * Durations and sizes as people write them: "10s", "1m30s", "500ms", "16KiB", "1GiB".
 * And hexadecimal, and points in time.
 */
#ifndef BASE_UNITS_H
#define BASE_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ms, s, m, h, d; a bare number other than 0 is refused: it has no unit. */
bool duration_parse(const char *text, uint64_t *ms);
/* B, KiB, MiB, GiB, KB, MB, GB; a bare number is bytes. */
bool size_parse(const char *text, uint64_t *bytes);
/* Decimal digits only, no sign, no overflow. */
bool number_parse(const char *text, uint64_t *number);

/* Writes a number in decimal, without a NUL behind it, and returns how many digits it has, at most
 * NUMBER_DIGITS.  It is for code that writes so many numbers that printf() would take most of the time. */
enum { NUMBER_DIGITS = 20 };
size_t number_encode(char *out, uint64_t number);

/* `out` has 2 * bytes + 1 bytes; lower case. */
char *hex_encode(char *out, const void *data, size_t bytes);
/* False unless exactly `bytes` bytes of hexadecimal. */
bool hex_decode(void *out, size_t bytes, const char *text);

/* Seconds since 1970 as RFC 3339 has them, in UTC: "2026-11-27T12:15:46Z"; a number where no year
 * of the calendar has them.  Returns `out`. */
enum { TIME_TEXT = 32 };
const char *time_text(int64_t wall_s, char out[TIME_TEXT]);

#endif
