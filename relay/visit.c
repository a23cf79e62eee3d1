/* The buffer starts small and doubles: most hellos fit at once. */
#include "relay/visit.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/socket.h"

enum { FIRST_BYTES = 2048 };

static bool
grow(struct visit *visit, size_t most)
{
	size_t capacity = visit->capacity ? 2 * visit->capacity : FIRST_BYTES;
	uint8_t *wire;

	if (visit->bytes < visit->capacity)
		return true;
	if (capacity > most)
		capacity = most;
	wire = realloc(visit->wire, capacity);
	if (wire == NULL)
		return false;
	visit->wire = wire;
	visit->capacity = capacity;
	return true;
}

enum visit_io
visit_read(struct visit *visit, size_t most)
{
	ssize_t got;

	if (visit->bytes >= most)
		return VISIT_FULL;
	if (!grow(visit, most))
		return VISIT_MEMORY;
	do
		got = recv(visit->fd, visit->wire + visit->bytes, visit->capacity - visit->bytes, 0);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == EAGAIN ? VISIT_WAIT : VISIT_RESET;
	visit->bytes += (size_t)got;
	return got > 0 ? VISIT_GOT : VISIT_END;
}

const struct address *
visit_listener(struct visit *visit)
{
	if (visit->listener.bytes == 0)
		visit->listener = socket_local(visit->fd);
	return &visit->listener;
}

void
visit_forget_bytes(struct visit *visit)
{
	free(visit->wire);
	visit->wire = NULL;
	visit->bytes = visit->capacity = 0;
}

void
visit_wipe(struct visit *visit)
{
	if (visit->fd >= 0)
		close(visit->fd);
	visit->fd = -1;
	visit_forget_bytes(visit);
}
