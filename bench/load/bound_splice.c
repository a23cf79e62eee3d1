/*
 * What a relay cannot go below: every connection goes to one upstream unread, spliced through pipes of
 * 1 MiB that are lent while bytes are in flight. No name is read, nothing is logged, bounded or timed.
 *	bound_splice PORT UPSTREAM-PORT
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/load/loop.h"

enum { PIPE_BYTES = 1 << 20, MOST_PIPES = 1024, BLOCK = 64 * 1024, TURNS = 16 };

struct bound_pipe {
	int out, in;
	size_t held;
};

struct spliced_flow;
struct spliced_side {
	struct load_watch watch; /* edge-triggered: registered once, for everything */
	struct spliced_side *other;
	struct spliced_flow *flow;
	/* What has come from here and has not gone to the other; held = 0: none is lent. */
	struct bound_pipe pipe;
	bool readable, writable; /* as far as is known */
	bool hung_up;            /* it has said its end, which is behind what can be read */
	bool bulk;               /* a read has filled the buffer: from now on it is spliced */
	bool ended;              /* nothing more comes from here, and the other was told */
};

struct spliced_flow {
	struct spliced_side client, upstream;
};

static const char *upstream_port;
static struct bound_pipe spare[MOST_PIPES];
static unsigned spare_count;

static void
lend_pipe(struct bound_pipe *pipe)
{
	if (spare_count) {
		*pipe = spare[--spare_count];
		return;
	}
	int ends[2];
	if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0)
		loop_die("pipe2");
	fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES);
	*pipe = (struct bound_pipe){ .out = ends[0], .in = ends[1] };
}

static void
take_back(struct bound_pipe *pipe)
{
	if (!pipe->held && spare_count < MOST_PIPES) {
		spare[spare_count++] = *pipe;
	} else {
		close(pipe->in);
		close(pipe->out);
	}
	*pipe = (struct bound_pipe){ 0 };
}

static void
end(struct spliced_flow *flow)
{
	loop_close(&flow->client.watch);
	loop_close(&flow->upstream.watch);
	if (flow->client.pipe.held)
		take_back(&flow->client.pipe);
	if (flow->upstream.pipe.held)
		take_back(&flow->upstream.pipe);
	loop_free_later(flow);
}

/* From the pipe to the other side. False: it is broken. */
static bool
drain(struct spliced_side *from)
{
	struct bound_pipe *pipe = &from->pipe;
	while (pipe->held && from->other->writable) {
		ssize_t moved = splice(pipe->out, NULL, from->other->watch.fd, NULL, pipe->held,
		    SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		if (moved < 0 && errno != EAGAIN)
			return false;
		if (moved < 0)
			from->other->writable = false;
		else
			pipe->held -= (size_t)moved;
	}
	if (!pipe->held)
		take_back(pipe);
	return true;
}

static ssize_t
fill(struct spliced_side *from)
{
	lend_pipe(&from->pipe);
	ssize_t moved = splice(from->watch.fd, NULL, from->pipe.in, NULL, PIPE_BYTES,
	    SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (moved > 0)
		from->pipe.held = (size_t)moved;
	else
		take_back(&from->pipe);
	return moved;
}

/* What the other cannot take waits in a pipe, which has room for it. */
static ssize_t
copy(struct spliced_side *from)
{
	static char data[BLOCK];
	ssize_t bytes = recv(from->watch.fd, data, sizeof data, 0);
	if (bytes <= 0)
		return bytes;
	from->bulk = bytes == BLOCK;
	from->readable = from->bulk || from->hung_up;
	ssize_t sent = send(from->other->watch.fd, data, (size_t)bytes, MSG_NOSIGNAL);
	if (sent < 0)
		sent = 0;
	if (sent == bytes)
		return bytes;
	lend_pipe(&from->pipe);
	from->pipe.held = (size_t)(bytes - sent);
	return write(from->pipe.in, data + sent, from->pipe.held) == bytes - sent ? bytes : -1;
}

/* False: broken, or both directions are over. */
static bool
pump(struct spliced_side *from)
{
	for (int i = 0; i < TURNS && !from->ended; i++) {
		if (from->pipe.held && !drain(from))
			return false;
		if (from->pipe.held || !from->readable)
			return true;
		ssize_t moved = from->bulk ? fill(from) : copy(from);
		if (moved < 0 && errno != EAGAIN)
			return false;
		if (moved < 0)
			from->readable = false;
		if (moved == 0) {
			from->ended = true;
			return !from->other->ended && shutdown(from->other->watch.fd, SHUT_WR) == 0;
		}
	}
	if (!from->ended)
		loop_again(&from->watch);
	return true;
}

static void
on_side(struct load_watch *watch, unsigned events)
{
	struct spliced_side *side = (struct spliced_side *)watch;
	side->readable |= events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP);
	side->hung_up |= events & (EPOLLRDHUP | EPOLLHUP);
	side->writable |= events & EPOLLOUT;
	if (events & EPOLLERR || !pump(side) || !pump(side->other))
		end(side->flow);
}

static void
begin(int client)
{
	int upstream = loop_dial(upstream_port, 0);
	struct spliced_flow *flow = calloc(1, sizeof *flow);
	if (upstream < 0 || !flow)
		loop_die("a flow");
	flow->client = (struct spliced_side){ .watch = { .on_event = on_side, .fd = client },
		.other = &flow->upstream,
		.flow = flow };
	flow->upstream = (struct spliced_side){ .watch = { .on_event = on_side, .fd = upstream },
		.other = &flow->client,
		.flow = flow };
	loop_want(&flow->client.watch, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
	loop_want(&flow->upstream.watch, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

static void
on_listener(struct load_watch *listener, unsigned events)
{
	(void)events;
	for (int fd; (fd = loop_accept(listener->fd)) >= 0;)
		begin(fd);
}

int
main(int argc, char **argv)
{
	if (argc != 3)
		return 64;
	signal(SIGPIPE, SIG_IGN); /* splice() has no MSG_NOSIGNAL */
	upstream_port = argv[2];
	struct load_watch listener = { .on_event = on_listener, .fd = loop_listen(argv[1]) };
	loop_want(&listener, EPOLLIN);
	for (;;)
		loop_turn(-1);
}
