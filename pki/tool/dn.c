/* Walks over names, and the characters of each type of string. */
#include "pki/tool/dn.h"

#include <ctype.h>
#include <string.h>

#include "base/utf8.h"

/* Those that Go reads; OpenSSL reads some more, which nobody writes any longer. */
enum {
	UTF8_STRING = 0x0c,
	NUMERIC_STRING = 0x12,
	PRINTABLE_STRING = 0x13,
	TELETEX_STRING = 0x14,
	IA5_STRING = 0x16,
	BMP_STRING = 0x1e,
};

static bool
is_control(uint32_t point)
{
	return point < ' ' || (point > '~' && point < 0xa0);
}

static bool
is_utf8_without(bool (*unwanted)(uint32_t), const char *text, size_t bytes)
{
	uint32_t point;
	unsigned length;

	for (size_t at = 0; at < bytes; at += length) {
		length = utf8_decode(text + at, bytes - at, &point);
		if (length == 0 || unwanted(point))
			return false;
	}
	return true;
}

bool
dn_is_text(const char *text, size_t bytes)
{
	return is_utf8_without(utf8_is_invisible, text, bytes);
}

static bool
is_ascii(const char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	return true;
}

static bool
is_printable(const char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (!text[i] ||
		    (!isalnum((unsigned char)text[i]) && !strchr(" '()+,-./:=?", text[i])))
			return false;
	return true;
}

/* In no character set that two programs agree on. */
static bool
is_teletex(const char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return false;
	return true;
}

static bool
is_bmp(struct der value)
{
	for (size_t i = 0; i + 1 < value.bytes; i += 2)
		if (is_control((uint32_t)value.data[i] << 8 | value.data[i + 1]))
			return false;
	return value.bytes % 2 == 0;
}

static bool
is_numeric(const char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (text[i] != ' ' && !isdigit((unsigned char)text[i]))
			return false;
	return true;
}

static bool
is_sound(unsigned tag, struct der value)
{
	const char *text = (const char *)value.data;

	switch (tag) {
	case UTF8_STRING:
		return is_utf8_without(is_control, text, value.bytes);
	case PRINTABLE_STRING:
		return is_printable(text, value.bytes);
	case IA5_STRING:
		return is_ascii(text, value.bytes);
	case NUMERIC_STRING:
		return is_numeric(text, value.bytes);
	case TELETEX_STRING:
		return is_teletex(text, value.bytes);
	case BMP_STRING:
		return is_bmp(value);
	default:
		return false;
	}
}

bool
dn_is_sound(struct der name)
{
	struct cursor outer = der_over(name), rdns = der_enter(&outer, DER_SEQUENCE);
	unsigned tag = 0;

	while (rdns.left && !rdns.failed) {
		struct cursor set = der_enter(&rdns, DER_SET);

		while (set.left && !set.failed) {
			struct cursor one = der_enter(&set, DER_SEQUENCE);
			struct der type = der_read(&one, DER_OID);
			struct der value = der_any(&one, &tag);
			if (one.failed || !der_oid_is_sound(type) || !is_sound(tag, value))
				return false;
		}
	}
	return !rdns.failed;
}
