/* A short list of sockets, which is looked through only when a flow becomes fast, or is over. */
#include "tunnel/ahead.h"

#include <stddef.h>

#include "base/socket.h"

enum { LITTLE_BYTES = 128 * 1024 };

static int *
find(struct ahead *ahead, int fd)
{
	for (unsigned i = 0; i < ahead->count; i++)
		if (ahead->fds[i] == fd)
			return &ahead->fds[i];
	return NULL;
}

static int *
find_idle(struct ahead *ahead)
{
	for (unsigned i = 0; i < ahead->count; i++)
		if (socket_queued(ahead->fds[i]) <= LITTLE_BYTES)
			return &ahead->fds[i];
	return NULL;
}

/* NULL: none is to be had. */
static int *
take_place(struct ahead *ahead, unsigned most)
{
	int *place;

	if (ahead->count < most)
		return &ahead->fds[ahead->count++];
	place = find_idle(ahead);
	if (place)
		socket_set_fast(*place, false);
	return place;
}

void
ahead_begin(struct ahead *ahead, unsigned most, int fd)
{
	int *place = find(ahead, fd);

	if (!place)
		place = take_place(ahead, most);
	if (!place)
		return;
	*place = fd;
	socket_set_fast(fd, true);
}

void
ahead_end(struct ahead *ahead, int fd)
{
	if (find(ahead, fd))
		socket_set_fast(fd, false);
}

void
ahead_leave(struct ahead *ahead, int fd)
{
	int *place = find(ahead, fd);

	if (place)
		*place = ahead->fds[--ahead->count];
}
