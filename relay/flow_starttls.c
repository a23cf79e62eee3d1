/* Asks a static upstream for TLS. */
#include "relay/flow_starttls.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/postgres.h"
#include "base/proxy.h"
#include "relay/flow_private.h"
#include "tunnel/stream.h"

void
flow_starttls_wipe(struct flow *flow)
{
	struct flow_way *way = flow->way;

	if (!way->asks_upstream)
		return;
	watch_wipe(&way->upstream);
	timer_clear(&way->attempt);
	if (way->upstream_fd >= 0)
		close(way->upstream_fd);
	way->asks_upstream = false;
}

static void
on_answer(void *arg, unsigned ready)
{
	struct flow *flow = arg;
	uint8_t answer[2];
	const char *why;
	ssize_t got = recv(flow->way->upstream_fd, answer, sizeof answer, 0);
	int fd;

	(void)ready;
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	why = postgres_answer_error(answer, got > 0 ? (size_t)got : 0);
	if (why) {
		flow_starttls_wipe(flow);
		flow_static_failed(flow, why);
		return;
	}
	fd = flow->way->upstream_fd;
	flow->way->upstream_fd = -1;
	flow_starttls_wipe(flow);
	flow_join(flow, stream_socket(fd), NULL, 0, 0);
}

static void
on_silent(void *arg)
{
	flow_starttls_wipe(arg);
	flow_static_failed(arg, "the upstream does not answer when it is asked for TLS");
}

/* What is sent fits into an empty socket. */
void
flow_starttls_begin(struct flow *flow, int fd, const void *front, size_t front_bytes)
{
	uint8_t wire[PROXY_PLAIN_MOST + POSTGRES_REQUEST_BYTES];
	size_t bytes = front_bytes + sizeof postgres_ssl_request;

	assert(front_bytes <= PROXY_PLAIN_MOST);
	memcpy(wire, front, front_bytes);
	memcpy(wire + front_bytes, postgres_ssl_request, sizeof postgres_ssl_request);
	flow->way->asks_upstream = true;
	flow->way->upstream_fd = fd;
	watch_init(&flow->way->upstream, flow->worker->loop, fd, on_answer, flow);
	timer_init(&flow->way->attempt, flow->worker->loop, on_silent, flow);
	timer_set(&flow->way->attempt, route_static_config(flow->static_route)->connect_ms);
	if (send(fd, wire, bytes, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)bytes)
		watch_want(&flow->way->upstream, WATCH_READ);
	else {
		flow_starttls_wipe(flow);
		flow_static_failed(flow, "the upstream closed before it was asked for TLS");
	}
}
