/* Accepts for a forward as long as there are places. */
#include "agent/forward_port.h"

#include <stdlib.h>
#include <unistd.h>

#include "agent/forward.h"
#include "agent/forward_flow.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/socket.h"

struct forward_port {
	const struct forward_port_context *context;
	struct forward *forward; /* held */
	struct address address;
	struct listener *listener; /* NULL: closed */
	bool owns_file;
	struct forward_flow_context flow_context;
	struct forward_flow_list flows;
	uint64_t flow_count;
	bool is_full;
};

/* Told once, until there are places again. */
static void
tell_full(struct forward_port *port)
{
	if (!port->is_full)
		log_limited(LOG_WARNING, "forward-full", NULL,
		    "all places are taken: new connections wait until one ends; raise flows if "
		    "that happens often",
		    log_str("forward", port->forward->name), log_u64("flows", port->flow_count));
	port->is_full = true;
}

static void
bound(struct forward_port *port)
{
	if (!port->listener)
		return;
	if (port->flow_count >= port->forward->flows_most) {
		tell_full(port);
		listener_pause(port->listener);
		return;
	}
	port->is_full = false;
	listener_resume(port->listener);
}

static void
on_over(void *arg, struct forward_flow *flow)
{
	struct forward_port *port = arg;

	forward_flow_free(flow);
	port->flow_count--;
	atomic_fetch_sub(port->context->flow_count, 1);
	bound(port);
}

static void
on_accept(void *arg, int fd, const struct address *peer)
{
	struct forward_port *port = arg;

	if (!forward_flow_new(&port->flow_context, port->forward, fd, peer, &port->flows))
		return;
	port->flow_count++;
	atomic_fetch_add(port->context->flow_count, 1);
	bound(port);
}

struct forward_port *
forward_port_new(
    const struct forward_port_context *context, struct forward *forward, int fd, bool owns_file)
{
	struct forward_port *port = calloc(1, sizeof *port);

	if (!port) {
		close(fd);
		return NULL;
	}
	port->context = context;
	port->address = forward->listener;
	port->owns_file = owns_file;
	port->forward = forward_hold(forward);
	port->flow_context = (struct forward_flow_context){ .loop = context->loop,
		.resolver = context->resolver,
		.stalls = context->stalls,
		.place = context->place,
		.on_over = on_over,
		.arg = port };
	LIST_INIT(&port->flows);
	port->listener = listener_new(context->loop, fd, on_accept, port);
	if (port->listener)
		return port;
	forward_port_free(port);
	return NULL;
}

void
forward_port_set(struct forward_port *port, struct forward *forward)
{
	forward_hold(forward);
	forward_release(port->forward);
	port->forward = forward;
	bound(port);
}

const struct address *
forward_port_address(const struct forward_port *port)
{
	return &port->address;
}

void
forward_port_close(struct forward_port *port)
{
	if (!port->listener)
		return;
	if (port->owns_file && port->address.as.any.sa_family == AF_UNIX)
		unlink(port->address.as.local.sun_path);
	listener_free(port->listener);
	port->listener = NULL;
}

bool
forward_port_has_flows(const struct forward_port *port)
{
	return port->flow_count > 0;
}

void
forward_port_judge_again(struct forward_port *port, int64_t now_s)
{
	struct forward_flow *flow = LIST_FIRST(&port->flows), *next;

	for (; flow; flow = next) {
		next = forward_flow_next(flow);
		forward_flow_judge_again(flow, port->forward, now_s);
	}
}

void
forward_port_free(struct forward_port *port)
{
	if (!port)
		return;
	forward_port_close(port);
	while (!LIST_EMPTY(&port->flows))
		on_over(port, LIST_FIRST(&port->flows));
	forward_release(port->forward);
	free(port);
}
