/* Reads the first bytes of a connection and keeps them.  The buffer is as large as what has come: most
 * hellos come at once, but many connections may wait with a part of one. */
#include "relay/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <threads.h>
#include <unistd.h>
#include "base/socket.h"
#include "base/numbers.h"

enum { AT_ONCE = 16384, STEP = 32 };

/* Where every read of a thread goes first: only what has come is kept, so that a connection that says
 * little takes little. */
static thread_local uint8_t scratch[AT_ONCE];

static bool
keep(struct conn *conn, size_t bytes)
{
	size_t wanted = (conn->bytes + bytes + STEP - 1) / STEP * STEP;
	uint8_t *wire;

	if (wanted > conn->capacity) {
		wire = realloc(conn->wire, wanted);
		if (!wire)
			return false;
		conn->wire = wire;
		conn->capacity = wanted;
	}
	memcpy(conn->wire + conn->bytes, scratch, bytes);
	conn->bytes += bytes;
	return true;
}

enum conn_io
conn_read(struct conn *conn, size_t most)
{
	ssize_t got;
	size_t room = difference(most, conn->bytes), asked = room < AT_ONCE ? room : AT_ONCE;

	conn->is_dry = false;
	if (room == 0)
		return CONN_FULL;
	do
		got = recv(conn->fd, scratch, asked, 0);
	while (got < 0 && errno == EINTR);
	conn->is_dry = got > 0 && (size_t)got < asked;
	if (got < 0)
		return errno == EAGAIN ? CONN_WAIT : CONN_RESET;
	if (got == 0)
		return CONN_END;
	return keep(conn, (size_t)got) ? CONN_GOT : CONN_MEMORY;
}

struct address
conn_client(const struct conn *conn)
{
	return address_of_ip(&conn->client);
}

struct address
conn_listener(const struct conn *conn)
{
	return conn->told ? *conn->told : socket_local(conn->fd);
}

bool
conn_set_listener(struct conn *conn, const struct address *listener)
{
	struct address *told = malloc(sizeof *told);

	if (!told)
		return false;
	*told = *listener;
	free(conn->told);
	conn->told = told;
	return true;
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
	free(conn->told);
	conn->told = NULL;
}
