/*
 * How many elements the certificates of a peer have, before GnuTLS reads them.  It keeps each part of a
 * name and looks for it by its number, several times: a subject of 7500 parts, 120 KB that any stranger
 * may send, takes it more than half a second, in which nothing else of its worker goes on.
 */
#include "tunnel/tls_private.h"

#include "base/cursor.h"

enum {
	CONSTRUCTED = 0x20,
	OCTET_STRING = 0x04,
	SEQUENCE = 0x30,
	LONG_TAG = 0x1f,
	INDEFINITE = 0x80,
	ELEMENTS_MOST = 2048, /* a certificate has some 100, and one for each name */
	LEVELS_MOST = 32,
};

static size_t
read_length(struct cursor *in)
{
	size_t length = cursor_u8(in);
	if (length == INDEFINITE || length > INDEFINITE + 4)
		in->failed = true;
	if (length <= INDEFINITE)
		return length;
	size_t octets = length - INDEFINITE;
	for (length = 0; octets > 0; octets--)
		length = length << 8 | cursor_u8(in);
	return length;
}

/* Of an octet string: the value of an extension is such, and names are in a sequence. */
static bool
holds_list(const struct cursor *inside)
{
	return inside->left > 0 && inside->at[0] == SEQUENCE;
}

/* Those of one list, and in each of them.  What is no DER ends its list: in a certificate GnuTLS ends there,
 * too, and an octet string may hold anything, such as a key's identifier. */
static size_t
count_elements(struct cursor in, unsigned level)
{
	size_t count = 0;
	while (in.left > 0 && count <= ELEMENTS_MOST) {
		unsigned tag = cursor_u8(&in);
		struct cursor inside = cursor_sub(&in, read_length(&in));
		if (in.failed || (tag & LONG_TAG) == LONG_TAG || level == LEVELS_MOST)
			break;
		count++;
		if (tag & CONSTRUCTED || (tag == OCTET_STRING && holds_list(&inside)))
			count += count_elements(inside, level + 1);
	}
	return count;
}

bool
tls_peer_is_large(const gnutls_datum_t *message, bool is_13)
{
	struct cursor in = cursor_over(message->data, message->size);
	size_t count = 0;
	if (is_13)
		cursor_sub(&in, cursor_u8(&in));
	struct cursor list = cursor_sub(&in, cursor_u24(&in));
	while (list.left > 0 && !list.failed && count <= ELEMENTS_MOST) {
		count += count_elements(cursor_sub(&list, cursor_u24(&list)), 0);
		if (is_13)
			cursor_sub(&list, cursor_u16(&list));
	}
	return count > ELEMENTS_MOST;
}
