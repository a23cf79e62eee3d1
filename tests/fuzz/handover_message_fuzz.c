/*
 * What one relay process says to the one that takes over: a connection that is read is one that could have
 * been sent, within its bounds, and says the same when it is sent again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "relay/handover_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
hold(bool claim)
{
	if (!claim)
		abort();
}

static bool
is_same(const struct address *one, const struct address *other)
{
	return one->bytes == 0 ? other->bytes == 0 : address_equals(one, other);
}

static void
send_again(const struct handover_conn *conn)
{
	static uint8_t bytes[HANDOVER_BYTES];
	struct handover_conn same;
	size_t head = handover_encode_conn(bytes, conn);
	hold(head > 0 && conn->wire_bytes > 0);
	memcpy(bytes + head, conn->wire, conn->wire_bytes);
	hold(handover_decode(bytes, head + conn->wire_bytes, &same) == HANDOVER_CONN);
	hold(is_same(&conn->client, &same.client) && is_same(&conn->listener, &same.listener));
	hold(is_same(&conn->told, &same.told));
	hold(conn->accepted_us == same.accepted_us && conn->is_counted == same.is_counted);
	hold(conn->wire_bytes == same.wire_bytes);
	hold(memcmp(conn->wire, same.wire, same.wire_bytes) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct handover_conn conn;
	enum handover_kind kind = handover_decode(data, size, &conn);
	hold(kind < HANDOVER_KINDS);
	if (kind == HANDOVER_CONN)
		send_again(&conn);
	else
		hold(kind == 0 || size == 1);
	return 0;
}
