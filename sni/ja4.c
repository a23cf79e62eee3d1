/* The fingerprint: ten characters in clear, then two hashes of sorted lists. */
#include "sni/ja4.h"

#include <endian.h>
#include <nettle/base16.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>

#include "sni/clienthello.h"

enum {
	EXT_SERVER_NAME = 0,
	EXT_ALPN = 16,
	SHOWN_MOST = 99,
	HASH_BYTES = 6,        /* shown in twelve digits */
	LIST_MOST = 65536 / 2, /* what a vector of two length bytes can hold */
	SHORT_LIST = 64,
	VALUE_TEXT = 5, /* a separator and four digits */
};

struct list {
	size_t count;
	uint16_t values[LIST_MOST];
};

static const char *
version_code(uint16_t version)
{
	switch (version) {
	case 0x0304:
		return "13";
	case 0x0303:
		return "12";
	case 0x0302:
		return "11";
	case 0x0301:
		return "10";
	case 0x0300:
		return "s3";
	case 0x0002:
		return "s2";
	default:
		return "00";
	}
}

static bool
is_alphanumeric(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* The first and the last character of the first name, or else of its hex form. */
static void
alpn_code(char out[3], const struct clienthello *hello, const uint8_t *wire)
{
	char name[256], digits[2];
	unsigned char first, last;
	size_t bytes;

	memcpy(out, "00", 3);
	if (!clienthello_alpn(hello, wire, 0, name, &bytes))
		return;
	first = (unsigned char)name[0];
	last = (unsigned char)name[bytes - 1];
	if (is_alphanumeric(first) && is_alphanumeric(last)) {
		out[0] = (char)first;
		out[1] = (char)last;
	} else {
		base16_encode_single(digits, first);
		out[0] = digits[0];
		base16_encode_single(digits, last);
		out[1] = digits[1];
	}
}

static void
list_add(struct list *list, uint16_t value)
{
	if (!clienthello_is_grease(value))
		list->values[list->count++] = value;
}

/* Its values, in their order. */
static void
list_read(struct list *list, const struct clienthello_vector *vector, const uint8_t *wire)
{
	size_t count = clienthello_copy(vector, wire, list->values, sizeof list->values) / 2;

	list->count = 0;
	for (size_t i = 0; i < count; i++)
		list_add(list, be16toh(list->values[i]));
}

static int
ascending(const void *a, const void *b)
{
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

/* Those of usual clients are short; whoever sends a long one must not have it sorted by insertion. */
static void
list_sort(struct list *list)
{
	if (list->count > SHORT_LIST) {
		qsort(list->values, list->count, sizeof *list->values, ascending);
		return;
	}
	for (size_t i = 1; i < list->count; i++) {
		uint16_t value = list->values[i];
		size_t at = i;

		for (; at > 0 && list->values[at - 1] > value; at--)
			list->values[at] = list->values[at - 1];
		list->values[at] = value;
	}
}

/* A call of nettle's base16 for each of them would take a fifth of the time of all. */
static size_t
put_value(char *at, uint16_t value)
{
	static const char digits[] = "0123456789abcdef";

	for (int shift = 12; shift >= 0; shift -= 4)
		*at++ = digits[value >> shift & 15];
	return VALUE_TEXT - 1;
}

/* Hashes them with commas between, and `first`, unless it is 0, in front. */
static void
hash_list(struct sha256_ctx *hash, const struct list *list, char first)
{
	char text[SHORT_LIST * VALUE_TEXT];
	size_t used = 0;

	for (size_t i = 0; i < list->count; i++) {
		char separator = i > 0 ? ',' : first;

		if (separator != 0)
			text[used++] = separator;
		used += put_value(text + used, list->values[i]);
		if (used > sizeof text - VALUE_TEXT) {
			sha256_update(hash, used, (const uint8_t *)text);
			used = 0;
		}
	}
	sha256_update(hash, used, (const uint8_t *)text);
}

/* An empty list is shown as zeros, so that one sees that there was nothing. */
static void
hash_show(char out[2 * HASH_BYTES + 1], struct sha256_ctx *hash, bool empty)
{
	uint8_t digest[HASH_BYTES] = { 0 };

	if (!empty)
		sha256_digest(hash, sizeof digest, digest);
	base16_encode_update(out, sizeof digest, digest);
	out[2 * sizeof digest] = 0;
}

/* Fills the hash of the extensions; returns how many there are of any kind. */
static size_t
show_extensions(char out[2 * HASH_BYTES + 1], const struct clienthello *hello, const uint8_t *wire,
    struct list *list)
{
	struct clienthello_vector extensions = hello->extensions, body;
	struct sha256_ctx hash;
	size_t count = 0;
	uint16_t type;
	bool is_empty;

	list->count = 0;
	while (clienthello_next_extension(&extensions, wire, &type, &body)) {
		if (!clienthello_is_grease(type))
			count++;
		if (type != EXT_SERVER_NAME && type != EXT_ALPN)
			list_add(list, type);
	}
	list_sort(list);
	sha256_init(&hash);
	hash_list(&hash, list, 0);
	is_empty = list->count == 0;
	list_read(list, &hello->signature_algorithms, wire);
	hash_list(&hash, list, '_');
	hash_show(out, &hash, is_empty);
	return count;
}

static size_t
show_cipher_suites(char out[2 * HASH_BYTES + 1], const struct clienthello *hello,
    const uint8_t *wire, struct list *list)
{
	struct sha256_ctx hash;

	list_read(list, &hello->cipher_suites, wire);
	list_sort(list);
	sha256_init(&hash);
	hash_list(&hash, list, 0);
	hash_show(out, &hash, list->count == 0);
	return list->count;
}

static char *
put_text(char *at, const char *text)
{
	while (*text != 0)
		*at++ = *text++;
	return at;
}

static char *
put_count(char *at, size_t count)
{
	size_t shown = count < SHOWN_MOST ? count : SHOWN_MOST;

	*at++ = (char)('0' + shown / 10);
	*at++ = (char)('0' + shown % 10);
	return at;
}

void
ja4_compute(char out[JA4_SIZE], const struct clienthello *hello, const uint8_t *wire)
{
	struct list list;
	char alpn[3], suites_hash[2 * HASH_BYTES + 1], extensions_hash[2 * HASH_BYTES + 1];
	size_t suites = show_cipher_suites(suites_hash, hello, wire, &list);
	size_t extensions = show_extensions(extensions_hash, hello, wire, &list);

	alpn_code(alpn, hello, wire);
	*out++ = 't';
	out = put_text(out, version_code(hello->newest_version));
	*out++ = hello->has_name ? 'd' : 'i';
	out = put_count(put_count(out, suites), extensions);
	out = put_text(out, alpn);
	*out++ = '_';
	out = put_text(out, suites_hash);
	*out++ = '_';
	out = put_text(out, extensions_hash);
	*out = 0;
}
