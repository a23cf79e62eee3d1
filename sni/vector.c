/*
 * What a complete hello lists, read from the wire bytes again: the items of a
 * vector may be cut by record headers anywhere, which are stepped over here.
 * The records were judged when the hello was read: none is empty, and together
 * they hold every vector whole.
 */
#include <string.h>

#include "sni/clienthello.h"

enum { RECORD_HEADER = 5, PRE_SHARED_KEY = 41 };

/*
 * Takes n bytes off the front and puts them into out, unless that is NULL.  If
 * there are fewer, takes them all and fails.
 */
static bool
advance(struct clienthello_vector *vector, const uint8_t *wire, void *out, size_t n)
{
	bool enough = n <= vector->bytes;
	uint8_t *to = out;

	if (!enough)
		n = vector->bytes;
	while (n > 0) {
		size_t step;

		if (vector->in_record == 0) {
			const uint8_t *header = wire + vector->at;

			vector->in_record = (uint16_t)(header[3] << 8 | header[4]);
			vector->at += RECORD_HEADER;
		}
		step = n < vector->in_record ? n : vector->in_record;
		if (to) {
			memcpy(to, wire + vector->at, step);
			to += step;
		}
		vector->at += (uint32_t)step;
		vector->in_record = (uint16_t)(vector->in_record - step);
		vector->bytes = (uint16_t)(vector->bytes - step);
		n -= step;
	}
	return enough;
}

bool
clienthello_next_u16(struct clienthello_vector *vector, const uint8_t *wire, uint16_t *value)
{
	uint8_t bytes[2] = { 0 };
	bool there = advance(vector, wire, bytes, sizeof bytes);

	*value = (uint16_t)(bytes[0] << 8 | bytes[1]);
	return there;
}

bool
clienthello_next_string(
    struct clienthello_vector *vector, const uint8_t *wire, char out[256], size_t *bytes)
{
	uint8_t length = 0;
	bool there = advance(vector, wire, &length, 1) && advance(vector, wire, out, length);

	*bytes = there ? length : 0;
	out[*bytes] = 0;
	return there;
}

bool
clienthello_next_extension(struct clienthello_vector *vector, const uint8_t *wire, uint16_t *type,
    struct clienthello_vector *body)
{
	uint16_t length = 0;
	bool there =
	    clienthello_next_u16(vector, wire, type) && clienthello_next_u16(vector, wire, &length);

	*body = *vector;
	body->bytes = length;
	return there && advance(vector, wire, NULL, length);
}

size_t
clienthello_copy(
    const struct clienthello_vector *vector, const uint8_t *wire, void *out, size_t size)
{
	struct clienthello_vector from = *vector;

	advance(&from, wire, out, size < from.bytes ? size : from.bytes);
	return vector->bytes;
}

bool
clienthello_alpn(const struct clienthello *hello, const uint8_t *wire, size_t index, char out[256],
    size_t *bytes)
{
	struct clienthello_vector names = hello->alpn;

	while (clienthello_next_string(&names, wire, out, bytes))
		if (index-- == 0)
			return true;
	return false;
}

bool
clienthello_offers_alpn(const struct clienthello *hello, const uint8_t *wire, const char *protocol)
{
	struct clienthello_vector names = hello->alpn;
	size_t wanted = strlen(protocol), bytes;
	char name[256];

	while (clienthello_next_string(&names, wire, name, &bytes))
		if (bytes == wanted && memcmp(name, protocol, bytes) == 0)
			return true;
	return false;
}

bool
clienthello_offers_only_alpn(
    const struct clienthello *hello, const uint8_t *wire, const char *protocol)
{
	return hello->alpn.bytes == 1 + strlen(protocol) &&
	    clienthello_offers_alpn(hello, wire, protocol);
}

bool
clienthello_psk_identity(
    const struct clienthello *hello, const uint8_t *wire, char *out, size_t size)
{
	struct clienthello_vector extensions = hello->extensions, body;
	uint16_t type, list_bytes, identity_bytes;

	while (clienthello_next_extension(&extensions, wire, &type, &body)) {
		if (type != PRE_SHARED_KEY)
			continue;
		if (!clienthello_next_u16(&body, wire, &list_bytes) ||
		    !clienthello_next_u16(&body, wire, &identity_bytes) ||
		    identity_bytes > body.bytes || identity_bytes >= size)
			return false;
		body.bytes = identity_bytes;
		out[clienthello_copy(&body, wire, out, identity_bytes)] = '\0';
		return !memchr(out, '\0', identity_bytes);
	}
	return false;
}
