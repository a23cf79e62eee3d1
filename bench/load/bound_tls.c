/*
 * What a relay and an agent cannot go below where there is TLS: GnuTLS, and one upstream. Nothing is
 * routed, logged, bounded or timed.
 *	bound_tls end PORT UPSTREAM-PORT CERTIFICATE KEY	TLS from the client, bare to the upstream
 *	bound_tls judge PORT UPSTREAM-PORT CERTIFICATE KEY CAS CRLS	the same, for clients with a certificate
 *	bound_tls seal PORT UPSTREAM-PORT NAME			bare from the client, TLS to the upstream
 *	bound_tls end-both PORT UPSTREAM-PORT CERTIFICATE KEY	TLS in TLS from the client, bare to the upstream
 */
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "bench/load/loop.h"
#include "bench/load/transport.h"

enum { BLOCK = 64 * 1024 };

struct tls_flow;
struct tls_side {
	struct load_watch watch;
	struct transport transport;
	struct tls_side *other;
	struct tls_flow *flow;
	char *unsent; /* came from here, and the other cannot take it yet; NULL: nothing */
	size_t unsent_bytes;
	bool ended;
};

struct tls_flow {
	struct tls_side client, upstream;
	int layers; /* of TLS from the client, that have shaken hands */
};

struct mode {
	const char *name;
	int arguments;
	int layers; /* of TLS from the client */
	bool seals; /* TLS to the upstream */
};

static const struct mode *mode;
static const char *upstream_port;

static void on_handshake(struct load_watch *watch, unsigned events);

static void
end(struct tls_flow *flow)
{
	transport_close(&flow->client.transport);
	loop_close(&flow->client.watch);
	loop_close(&flow->upstream.watch);
	free(flow->client.unsent);
	free(flow->upstream.unsent);
	loop_free_later(flow);
}

static void
want(struct tls_side *side)
{
	loop_want(&side->watch,
	    (side->ended || side->unsent ? 0u : EPOLLIN) | (side->other->unsent ? EPOLLOUT : 0u));
}

static void
keep(struct tls_side *from, const char *data, size_t bytes)
{
	from->unsent = malloc(bytes);
	if (!from->unsent)
		loop_die("malloc");
	memcpy(from->unsent, data, bytes);
	from->unsent_bytes = bytes;
}

static bool
send_unsent(struct tls_side *from)
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
move(struct tls_side *from)
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

/* Also of what a session has decrypted already, of which no event tells. */
static bool
move_on(struct tls_side *from, bool readable)
{
	if (from->ended || from->unsent)
		return true;
	return (!readable && !transport_has_pending(&from->transport)) || move(from);
}

static void
serve(struct tls_side *side, unsigned events)
{
	bool good = !(events & EPOLLERR);
	if (good && side->other->unsent && events & (EPOLLOUT | EPOLLHUP))
		good = send_unsent(side->other) && move_on(side->other, false);
	if (good)
		good = move_on(side, events & (EPOLLIN | EPOLLHUP));
	if (!good) {
		end(side->flow);
		return;
	}
	want(side);
	want(side->other);
}

static void
on_side(struct load_watch *watch, unsigned events)
{
	serve((struct tls_side *)watch, events);
}

static void
join(struct tls_flow *flow)
{
	flow->client.watch.on_event = flow->upstream.watch.on_event = on_side;
	serve(&flow->client, 0);
}

static bool
dial(struct tls_flow *flow)
{
	struct tls_side *upstream = &flow->upstream;
	upstream->watch.fd = upstream->transport.fd = loop_dial(upstream_port, 0);
	if (upstream->watch.fd < 0)
		return false;
	if (!mode->seals) {
		join(flow);
		return true;
	}
	upstream->watch.on_event = on_handshake;
	loop_want(&upstream->watch, EPOLLOUT);
	return transport_open_client(&upstream->transport, upstream->watch.fd, false);
}

/* A layer is there: the next one, or what comes after the last. */
static bool
shaken(struct tls_side *side)
{
	struct tls_flow *flow = side->flow;
	if (side == &flow->upstream) {
		join(flow);
		return true;
	}
	if (++flow->layers == mode->layers)
		return dial(flow);
	return transport_open_server_inside(&side->transport);
}

static void
on_handshake(struct load_watch *watch, unsigned events)
{
	struct tls_side *side = (struct tls_side *)watch;
	(void)events;
	int result = transport_handshake(&side->transport);
	if (result == TRANSPORT_AGAIN)
		loop_want(watch, transport_wants_to_write(&side->transport) ? EPOLLOUT : EPOLLIN);
	else if (result != 1 || !shaken(side))
		end(side->flow);
}

static void
begin(int client)
{
	struct tls_flow *flow = calloc(1, sizeof *flow);
	if (!flow)
		loop_die("calloc");
	flow->client = (struct tls_side){ .watch = { .on_event = on_handshake, .fd = client },
		.transport.fd = client,
		.other = &flow->upstream,
		.flow = flow };
	flow->upstream =
	    (struct tls_side){ .watch = { .fd = -1 }, .other = &flow->client, .flow = flow };
	if (mode->layers)
		loop_want(&flow->client.watch, EPOLLIN);
	if (!(mode->layers ? transport_open_server(&flow->client.transport, client) : dial(flow)))
		end(flow);
}

static void
on_listener(struct load_watch *listener, unsigned events)
{
	(void)events;
	for (int fd; (fd = loop_accept(listener->fd)) >= 0;)
		begin(fd);
}

static const struct mode modes[] = {
	{ .name = "end", .arguments = 6, .layers = 1 },
	{ .name = "judge", .arguments = 8, .layers = 1 },
	{ .name = "seal", .arguments = 5, .seals = true },
	{ .name = "end-both", .arguments = 6, .layers = 2 },
};

int
main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof modes / sizeof modes[0]; i++)
		if (strcmp(argv[1], modes[i].name) == 0 && argc == modes[i].arguments)
			mode = &modes[i];
	if (!mode)
		return 64;
	upstream_port = argv[3];
	if (mode->seals)
		transport_client_start(argv[4]);
	else
		transport_server_start(argv[4], argv[5]);
	if (argc == 8)
		transport_server_judges(argv[6], argv[7]);
	struct load_watch listener = { .on_event = on_listener, .fd = loop_listen(argv[2]) };
	loop_want(&listener, EPOLLIN);
	for (;;)
		loop_turn(-1);
}
