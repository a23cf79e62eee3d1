/* Decodes UTF-8, by the table of RFC 3629, section 4, and knows which characters cannot be seen. */
#include "base/utf8.h"

#include <string.h>

static const struct form {
	unsigned char first, last, low, high, bytes;
} forms[] = {
	{ 0x00, 0x7f, 0x80, 0xbf, 1 },
	{ 0xc2, 0xdf, 0x80, 0xbf, 2 },
	{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
	{ 0xe1, 0xec, 0x80, 0xbf, 3 },
	{ 0xed, 0xed, 0x80, 0x9f, 3 },
	{ 0xee, 0xef, 0x80, 0xbf, 3 },
	{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
	{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
	{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
};

static const struct form *
form_of(unsigned char first)
{
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		if (first >= forms[i].first && first <= forms[i].last)
			return &forms[i];
	}
	return NULL;
}

unsigned
utf8_decode(const void *sequence, size_t left, uint32_t *point)
{
	static const unsigned char first_bits[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	const unsigned char *at = sequence;
	const struct form *form = form_of(at[0]);

	if (!form || left < form->bytes)
		return 0;
	*point = at[0] & first_bits[form->bytes];
	for (unsigned n = 1; n < form->bytes; n++) {
		unsigned char low = n == 1 ? form->low : 0x80, high = n == 1 ? form->high : 0xbf;

		if (at[n] < low || at[n] > high)
			return 0;
		*point = *point << 6 | (at[n] & 0x3f);
	}
	return form->bytes;
}

/* The categories Cc, Cf, Zl, Zp and Zs of Unicode 15 and the property Default_Ignorable_Code_Point,
 * which covers characters that are not assigned yet; U+2800 is a picture of nothing. */
bool
utf8_is_invisible(uint32_t point)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{ 0x0000, 0x001f },
		{ 0x007f, 0x00a0 },
		{ 0x00ad, 0x00ad },
		{ 0x034f, 0x034f },
		{ 0x0600, 0x0605 },
		{ 0x061c, 0x061c },
		{ 0x06dd, 0x06dd },
		{ 0x070f, 0x070f },
		{ 0x0890, 0x0891 },
		{ 0x08e2, 0x08e2 },
		{ 0x115f, 0x1160 },
		{ 0x1680, 0x1680 },
		{ 0x17b4, 0x17b5 },
		{ 0x180b, 0x180f },
		{ 0x2000, 0x200f },
		{ 0x2028, 0x202f },
		{ 0x205f, 0x206f },
		{ 0x2800, 0x2800 },
		{ 0x3000, 0x3000 },
		{ 0x3164, 0x3164 },
		{ 0xfe00, 0xfe0f },
		{ 0xfeff, 0xfeff },
		{ 0xffa0, 0xffa0 },
		{ 0xfff0, 0xfffb },
		{ 0x110bd, 0x110bd },
		{ 0x110cd, 0x110cd },
		{ 0x13430, 0x1343f },
		{ 0x1bca0, 0x1bca3 },
		{ 0x1d173, 0x1d17a },
		{ 0xe0000, 0xe0fff },
	};
	size_t i = 0;

	while (i < sizeof ranges / sizeof ranges[0] && point > ranges[i].last)
		i++;
	return i < sizeof ranges / sizeof ranges[0] && point >= ranges[i].first;
}

void
utf8_put_visibly(const char *text, FILE *out)
{
	size_t left = strlen(text);

	while (left > 0) {
		uint32_t point;
		unsigned bytes = utf8_decode(text, left, &point);

		if (bytes > 0 && !utf8_is_invisible(point))
			fwrite(text, 1, bytes, out);
		else
			fputc('?', out);
		bytes = bytes > 0 ? bytes : 1;
		text += bytes;
		left -= bytes;
	}
}
