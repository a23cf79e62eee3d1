/* Opens listening sockets, and keeps them until a forward takes them. */
#include "agent/forward_sockets.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/ready.h"
#include "base/socket.h"

struct forward_sockets {
	size_t count;
	struct opened {
		struct address address;
		int fd; /* -1: taken */
		bool owns_file;
	} items[];
};

int
forward_sockets_listen(
    const struct forward_settings *settings, bool *owns_file, char error[FORWARD_SOCKETS_ERROR])
{
	char why[FORWARD_SOCKETS_ERROR / 2];
	int fd = ready_listener(&settings->listener);

	*owns_file = fd < 0;
	if (fd < 0)
		fd = socket_listen(&settings->listener, LISTEN_OWN_USER, why);
	if (fd < 0)
		snprintf(error, FORWARD_SOCKETS_ERROR, "forward %s: %s", settings->name, why);
	return fd;
}

void
forward_sockets_close(int fd, bool owns_file, const struct address *address)
{
	if (fd < 0)
		return;
	if (owns_file && address->as.any.sa_family == AF_UNIX)
		unlink(address->as.local.sun_path);
	close(fd);
}

struct forward_sockets *
forward_sockets_open(const struct agent_settings *settings, char error[FORWARD_SOCKETS_ERROR])
{
	size_t count = settings->forwards.count;
	struct forward_sockets *sockets =
	    calloc(1, sizeof *sockets + count * sizeof sockets->items[0]);

	snprintf(error, FORWARD_SOCKETS_ERROR, "memory is short");
	for (; sockets && sockets->count < count; sockets->count++) {
		const struct forward_settings *one =
		    agent_settings_forward(settings, sockets->count);
		struct opened *opened = &sockets->items[sockets->count];

		opened->address = one->listener;
		opened->fd = forward_sockets_listen(one, &opened->owns_file, error);
		if (opened->fd >= 0)
			continue;
		forward_sockets_free(sockets);
		return NULL;
	}
	return sockets;
}

int
forward_sockets_take(
    struct forward_sockets *sockets, const struct address *address, bool *owns_file)
{
	for (size_t i = 0; sockets && i < sockets->count; i++) {
		struct opened *opened = &sockets->items[i];
		int fd = opened->fd;

		if (fd < 0 || !address_equals(&opened->address, address))
			continue;
		*owns_file = opened->owns_file;
		opened->fd = -1;
		return fd;
	}
	return -1;
}

void
forward_sockets_free(struct forward_sockets *sockets)
{
	for (size_t i = 0; sockets && i < sockets->count; i++)
		forward_sockets_close(
		    sockets->items[i].fd, sockets->items[i].owns_file, &sockets->items[i].address);
	free(sockets);
}
