/*
 * What an agent that ends TLS cannot go below: GnuTLS with one certificate, and the plain bytes to one
 * upstream. Nothing is routed, logged, bounded or timed.
 *	bound_tls PORT UPSTREAM-PORT CERTIFICATE KEY
 */
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "bench/load/loop.h"
#include "bench/load/transport.h"

enum { BLOCK = 64 * 1024 };

struct flow;
struct side {
	struct watch watch;
	struct transport transport;
	struct side *other;
	struct flow *flow;
	char *unsent; /* came from here, and the other cannot take it yet; NULL: nothing */
	size_t unsent_bytes;
	bool ended;
};

struct flow {
	struct side client, upstream;
};

static const char *upstream_port;

static void
end(struct flow *flow)
{
	transport_close(&flow->client.transport);
	loop_close(&flow->client.watch);
	loop_close(&flow->upstream.watch);
	free(flow->client.unsent);
	free(flow->upstream.unsent);
	loop_free_later(flow);
}

static void
want(struct side *side)
{
	loop_want(&side->watch,
	    (side->ended || side->unsent ? 0u : EPOLLIN) | (side->other->unsent ? EPOLLOUT : 0u));
}

static void
keep(struct side *from, const char *data, size_t bytes)
{
	from->unsent = malloc(bytes);
	if (!from->unsent)
		loop_die("malloc");
	memcpy(from->unsent, data, bytes);
	from->unsent_bytes = bytes;
}

static bool
send_unsent(struct side *from)
{
	ssize_t sent = transport_send(&from->other->transport, from->unsent, from->unsent_bytes);
	if (sent < 0)
		return sent == TRANSPORT_AGAIN;
	from->unsent_bytes -= (size_t)sent;
	memmove(from->unsent, from->unsent + sent, from->unsent_bytes);
	if (from->unsent_bytes == 0) {
		free(from->unsent);
		from->unsent = NULL;
	}
	return true;
}

static bool
move(struct side *from)
{
	char data[BLOCK];
	do {
		ssize_t bytes = transport_receive(&from->transport, data, sizeof data);
		if (bytes < 0)
			return bytes == TRANSPORT_AGAIN;
		if (bytes == 0) {
			from->ended = true;
			transport_finish(&from->other->transport);
			return !from->other->ended;
		}
		ssize_t sent = transport_send(&from->other->transport, data, (size_t)bytes);
		if (sent == TRANSPORT_BROKEN)
			return false;
		if (sent < bytes)
			keep(from, data + (sent > 0 ? sent : 0),
			    (size_t)(bytes - (sent > 0 ? sent : 0)));
	} while (!from->unsent && transport_has_pending(&from->transport));
	return true;
}

static void
on_side(struct watch *watch, unsigned events)
{
	struct side *side = (struct side *)watch;
	bool good = !(events & EPOLLERR);
	if (good && side->other->unsent && events & (EPOLLOUT | EPOLLHUP))
		good = send_unsent(side->other);
	if (good && !side->ended && !side->unsent && events & (EPOLLIN | EPOLLHUP))
		good = move(side);
	if (!good) {
		end(side->flow);
		return;
	}
	want(side);
	want(side->other);
}

static bool
shaken(struct flow *flow)
{
	int upstream = loop_dial(upstream_port, 0);
	if (upstream < 0)
		return false;
	flow->upstream.watch.fd = flow->upstream.transport.fd = upstream;
	flow->client.watch.on_event = on_side;
	want(&flow->client);
	want(&flow->upstream);
	return true;
}

static void
on_handshake(struct watch *watch, unsigned events)
{
	struct flow *flow = ((struct side *)watch)->flow;
	(void)events;
	int result = transport_handshake(&flow->client.transport);
	if (result == TRANSPORT_AGAIN)
		loop_want(
		    watch, transport_wants_to_write(&flow->client.transport) ? EPOLLOUT : EPOLLIN);
	else if (result != 1 || !shaken(flow))
		end(flow);
}

static void
on_listener(struct watch *listener, unsigned events)
{
	(void)events;
	for (int fd; (fd = loop_accept(listener->fd)) >= 0;) {
		struct flow *flow = calloc(1, sizeof *flow);
		if (!flow)
			loop_die("calloc");
		flow->client = (struct side){ .watch = { .on_event = on_handshake, .fd = fd },
			.other = &flow->upstream,
			.flow = flow };
		flow->upstream = (struct side){ .watch = { .on_event = on_side, .fd = -1 },
			.other = &flow->client,
			.flow = flow };
		if (!transport_open_server(&flow->client.transport, fd))
			loop_die("a session");
		loop_want(&flow->client.watch, EPOLLIN);
	}
}

int
main(int argc, char **argv)
{
	if (argc != 5)
		return 64;
	upstream_port = argv[2];
	transport_server_start(argv[3], argv[4]);
	struct watch listener = { .on_event = on_listener, .fd = loop_listen(argv[1]) };
	loop_want(&listener, EPOLLIN);
	for (;;)
		loop_turn(-1);
}
