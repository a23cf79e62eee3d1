/*
 * The upstream of all measurements: serves any number of connections in one thread, each as its first
 * byte orders (bench/load/order.h). A raw client's hello in front of the order is skipped.
 *	upstream PORT COUNTER-FILE
 * In the file it counts the bytes that it throws away: what a client has sent may be in buffers yet,
 * and what has arrived here has been carried.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/load/loop.h"
#include "bench/load/order.h"

enum { BLOCK = 256 * 1024, ECHO = 64 * 1024, RECORD_HEADER = 5, HANDSHAKE = 0x16 };

struct served_connection {
	struct load_watch watch;
	size_t hello_left;
	int order;    /* 0: not heard yet */
	uint64_t run; /* of the counter, when the order came */
	char *unsent; /* of an echo; NULL: nothing */
	size_t unsent_bytes;
};

static char block[BLOCK];
static struct counter *counter;

static void
end(struct served_connection *connection)
{
	loop_close(&connection->watch);
	free(connection->unsent);
	loop_free_later(connection);
}

static void
keep(struct served_connection *connection, const char *data, size_t bytes)
{
	connection->unsent = malloc(bytes);
	if (!connection->unsent)
		loop_die("malloc");
	memcpy(connection->unsent, data, bytes);
	connection->unsent_bytes = bytes;
	loop_want(&connection->watch, EPOLLOUT);
}

static bool
echo(struct served_connection *connection)
{
	char data[ECHO];
	ssize_t bytes = recv(connection->watch.fd, data, sizeof data, 0);
	if (bytes <= 0)
		return false;
	ssize_t sent = send(connection->watch.fd, data, (size_t)bytes, MSG_NOSIGNAL);
	if (sent < 0)
		sent = 0;
	if (sent < bytes)
		keep(connection, data + sent, (size_t)(bytes - sent));
	return true;
}

static bool
send_unsent(struct served_connection *connection)
{
	ssize_t sent =
	    send(connection->watch.fd, connection->unsent, connection->unsent_bytes, MSG_NOSIGNAL);
	if (sent < 0)
		return false;
	connection->unsent_bytes -= (size_t)sent;
	memmove(connection->unsent, connection->unsent + sent, connection->unsent_bytes);
	if (connection->unsent_bytes)
		return true;
	free(connection->unsent);
	connection->unsent = NULL;
	loop_want(&connection->watch, EPOLLIN);
	return true;
}

static bool
begin(struct served_connection *connection, int order)
{
	connection->order = order;
	connection->run = __atomic_load_n(&counter->run, __ATOMIC_RELAXED);
	if (order == ORDER_ONCE) {
		send(connection->watch.fd, "1", 1, MSG_NOSIGNAL);
		return false;
	}
	if (order == ORDER_POUR || order == ORDER_BOTH)
		loop_want(&connection->watch, EPOLLIN | EPOLLOUT);
	return true;
}

/* The hello, if there is one, then the order. */
static bool
read_order(struct served_connection *connection)
{
	int fd = connection->watch.fd;
	unsigned char header[RECORD_HEADER];
	while (!connection->order) {
		ssize_t bytes = connection->hello_left
		    ? recv(fd, NULL, connection->hello_left, MSG_TRUNC)
		    : recv(fd, header, sizeof header, MSG_PEEK);
		if (bytes <= 0)
			return bytes < 0 && errno == EAGAIN;
		if (connection->hello_left)
			connection->hello_left -= (size_t)bytes;
		else if (header[0] != HANDSHAKE)
			return recv(fd, header, 1, 0) == 1 && begin(connection, header[0]);
		else if (bytes == RECORD_HEADER)
			connection->hello_left =
			    RECORD_HEADER + ((size_t)header[3] << 8 | header[4]);
		else
			return true;
	}
	return true;
}

static bool
throw_away(struct served_connection *connection)
{
	ssize_t bytes = recv(connection->watch.fd, NULL, BLOCK, MSG_TRUNC);
	if (bytes > 0 && connection->run == __atomic_load_n(&counter->run, __ATOMIC_RELAXED))
		__atomic_fetch_add(&counter->taken, (uint64_t)bytes, __ATOMIC_RELAXED);
	return bytes > 0;
}

static bool
serve(struct served_connection *connection, unsigned events)
{
	if (!connection->order)
		return read_order(connection);
	if (connection->order == ORDER_ECHO)
		return connection->unsent ? send_unsent(connection) : echo(connection);
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !throw_away(connection))
		return false;
	return !(events & EPOLLOUT) || send(connection->watch.fd, block, BLOCK, MSG_NOSIGNAL) > 0;
}

static void
map_counter(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, sizeof *counter) < 0)
		loop_die(path);
	counter = mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (counter == MAP_FAILED)
		loop_die(path);
	close(fd);
}

static void
on_connection(struct load_watch *watch, unsigned events)
{
	struct served_connection *connection = (struct served_connection *)watch;
	if (!serve(connection, events))
		end(connection);
}

static void
on_listener(struct load_watch *listener, unsigned events)
{
	(void)events;
	for (int fd; (fd = loop_accept(listener->fd)) >= 0;) {
		struct served_connection *connection = calloc(1, sizeof *connection);
		if (!connection)
			loop_die("calloc");
		connection->watch = (struct load_watch){ .on_event = on_connection, .fd = fd };
		loop_want(&connection->watch, EPOLLIN);
	}
}

int
main(int argc, char **argv)
{
	if (argc != 3)
		return 64;
	map_counter(argv[2]);
	struct load_watch listener = { .on_event = on_listener, .fd = loop_listen(argv[1]) };
	loop_want(&listener, EPOLLIN);
	for (;;)
		loop_turn(-1);
}
