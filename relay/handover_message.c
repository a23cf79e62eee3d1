/* What the two relays of a handover say to each other, as bytes. */
#include "relay/handover_message.h"

#include "base/cursor.h"

enum { COUNTED = 1 };

static void
write_address(struct writer *w, const struct address *address)
{
	char text[ADDRESS_TEXT];

	writer_text8(w, address->bytes > 0 ? address_text(address, text) : "");
}

static bool
read_address(struct cursor *in, struct address *out)
{
	char text[ADDRESS_TEXT];

	cursor_text8(in, text, sizeof text);
	*out = (struct address){ 0 };
	return text[0] == '\0' || address_parse(out, text);
}

size_t
handover_encode_conn(uint8_t out[HANDOVER_HEAD], const struct handover_conn *conn)
{
	struct writer w = writer_over(out, HANDOVER_HEAD);

	writer_u8(&w, HANDOVER_CONN);
	writer_u8(&w, conn->is_counted ? COUNTED : 0);
	writer_u64(&w, conn->accepted_us);
	write_address(&w, &conn->client);
	write_address(&w, &conn->listener);
	write_address(&w, &conn->told);
	if (w.failed || conn->wire_bytes > HANDOVER_BYTES - HANDOVER_HEAD)
		return 0;
	return w.bytes;
}

static bool
is_inet(const struct address *address)
{
	int family = address->as.any.sa_family;

	return address->bytes > 0 && (family == AF_INET || family == AF_INET6);
}

static bool
decode_conn(struct cursor in, struct handover_conn *conn)
{
	uint8_t flags = cursor_u8(&in);
	bool fine = (flags & ~COUNTED) == 0;

	conn->is_counted = flags & COUNTED;
	conn->accepted_us = cursor_u64(&in);
	fine &= read_address(&in, &conn->client) && is_inet(&conn->client);
	fine &= read_address(&in, &conn->listener) && is_inet(&conn->listener);
	fine &= read_address(&in, &conn->told) && (conn->told.bytes == 0 || is_inet(&conn->told));
	conn->wire_bytes = in.left;
	conn->wire = cursor_bytes(&in, in.left);
	return fine && cursor_end(&in) && conn->wire_bytes > 0 &&
	    conn->wire_bytes <= HANDOVER_BYTES - HANDOVER_HEAD;
}

enum handover_kind
handover_decode(const void *data, size_t bytes, struct handover_conn *conn)
{
	struct cursor in = cursor_over(data, bytes);
	uint8_t kind = cursor_u8(&in);

	if (kind == HANDOVER_CONN)
		return decode_conn(in, conn) ? HANDOVER_CONN : 0;
	return cursor_end(&in) && kind < HANDOVER_KINDS ? (enum handover_kind)kind : 0;
}
