/* The buffer starts small and doubles: most hellos fit at once. */
#include "relay/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/socket.h"

enum { FIRST_BYTES = 2048 };

static bool
grow(struct conn *conn, size_t most)
{
	size_t capacity = conn->capacity ? 2 * conn->capacity : FIRST_BYTES;
	uint8_t *wire;

	if (conn->bytes < conn->capacity)
		return true;
	if (capacity > most)
		capacity = most;
	wire = realloc(conn->wire, capacity);
	if (!wire)
		return false;
	conn->wire = wire;
	conn->capacity = capacity;
	return true;
}

enum conn_io
conn_read(struct conn *conn, size_t most)
{
	ssize_t got;

	if (conn->bytes >= most)
		return CONN_FULL;
	if (!grow(conn, most))
		return CONN_MEMORY;
	do
		got = recv(conn->fd, conn->wire + conn->bytes, conn->capacity - conn->bytes, 0);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == EAGAIN ? CONN_WAIT : CONN_RESET;
	conn->bytes += (size_t)got;
	return got > 0 ? CONN_GOT : CONN_END;
}

const struct address *
conn_listener(struct conn *conn)
{
	if (conn->listener.bytes == 0)
		conn->listener = socket_local(conn->fd);
	return &conn->listener;
}

void
conn_forget_bytes(struct conn *conn)
{
	free(conn->wire);
	conn->wire = NULL;
	conn->bytes = conn->capacity = 0;
}

void
conn_wipe(struct conn *conn)
{
	if (conn->fd >= 0)
		close(conn->fd);
	conn->fd = -1;
	conn_forget_bytes(conn);
}
