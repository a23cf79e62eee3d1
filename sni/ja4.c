/* The fingerprint: ten characters in clear, then two hashes of sorted lists. */
#include "sni/ja4.h"

#include <nettle/base16.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sni/clienthello.h"

enum {
	EXT_SERVER_NAME = 0,
	EXT_ALPN = 16,
	SHOWN_MOST = 99,
	HASH_BYTES = 6,        /* shown in twelve digits */
	LIST_MOST = 65536 / 2, /* what a vector of two length bytes can hold */
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

static int
ascending(const void *a, const void *b)
{
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

static void
list_sort(struct list *list)
{
	qsort(list->values, list->count, sizeof *list->values, ascending);
}

/* Hashes separator and value, the separator being left out if it is 0. */
static void
hash_value(struct sha256_ctx *hash, char separator, uint16_t value)
{
	const uint8_t octets[2] = { (uint8_t)(value >> 8), (uint8_t)value };
	char text[5] = { separator };
	size_t skip = separator == 0;

	base16_encode_update(text + 1, sizeof octets, octets);
	sha256_update(hash, sizeof text - skip, (const uint8_t *)text + skip);
}

static void
hash_list(struct sha256_ctx *hash, const struct list *list)
{
	for (size_t i = 0; i < list->count; i++)
		hash_value(hash, i > 0 ? ',' : 0, list->values[i]);
}

static void
hash_signature_algorithms(
    struct sha256_ctx *hash, const struct clienthello *hello, const uint8_t *wire)
{
	struct clienthello_vector algorithms = hello->signature_algorithms;
	char separator = '_';
	uint16_t value;

	while (clienthello_next_u16(&algorithms, wire, &value)) {
		if (clienthello_is_grease(value))
			continue;
		hash_value(hash, separator, value);
		separator = ',';
	}
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

	list->count = 0;
	while (clienthello_next_extension(&extensions, wire, &type, &body)) {
		if (!clienthello_is_grease(type))
			count++;
		if (type != EXT_SERVER_NAME && type != EXT_ALPN)
			list_add(list, type);
	}
	list_sort(list);
	sha256_init(&hash);
	hash_list(&hash, list);
	hash_signature_algorithms(&hash, hello, wire);
	hash_show(out, &hash, list->count == 0);
	return count;
}

static size_t
show_cipher_suites(char out[2 * HASH_BYTES + 1], const struct clienthello *hello,
    const uint8_t *wire, struct list *list)
{
	struct clienthello_vector suites = hello->cipher_suites;
	struct sha256_ctx hash;
	uint16_t value;

	list->count = 0;
	while (clienthello_next_u16(&suites, wire, &value))
		list_add(list, value);
	list_sort(list);
	sha256_init(&hash);
	hash_list(&hash, list);
	hash_show(out, &hash, list->count == 0);
	return list->count;
}

static unsigned
shown(size_t count)
{
	return count < SHOWN_MOST ? (unsigned)count : SHOWN_MOST;
}

void
ja4_compute(char out[JA4_SIZE], const struct clienthello *hello, const uint8_t *wire)
{
	struct list list;
	char alpn[3], suites_hash[2 * HASH_BYTES + 1], extensions_hash[2 * HASH_BYTES + 1];
	size_t suites = show_cipher_suites(suites_hash, hello, wire, &list);
	size_t extensions = show_extensions(extensions_hash, hello, wire, &list);

	alpn_code(alpn, hello, wire);
	snprintf(out, JA4_SIZE, "t%s%c%02u%02u%s_%s_%s", version_code(hello->newest_version),
	    hello->has_name ? 'd' : 'i', shown(suites), shown(extensions), alpn, suites_hash,
	    extensions_hash);
}
