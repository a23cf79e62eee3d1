/* The way to a static upstream, or to one of several: the next one when a dial fails. */
#include "relay/flow_private.h"

#include <assert.h>
#include <stdio.h>
#include "base/clock.h"
#include "base/numbers.h"
#include "base/proxy.h"
#include "base/socket.h"
#include "base/units.h"
#include "base/upstream_group.h"
#include "base/upstream_outage.h"
#include "relay/flow_dynamic.h"
#include "relay/flow_starttls.h"
#include "relay/shared.h"
#include "tunnel/stream.h"

static struct upstream_group *
group_of(const struct flow *flow)
{
	return flow->static_route ? route_static_config(flow->static_route)->group : NULL;
}

void
flow_static_leave(struct flow *flow)
{
	if (flow->upstream > 0)
		upstream_group_leave(group_of(flow), flow->upstream - 1u);
	flow->upstream = 0;
}

/* Where the client's name decides, strangers would write the log. */
static void
note_dial(struct flow *flow, const char *error)
{
	const struct route_static_settings *route = route_static_config(flow->static_route);

	if (flow->upstream > 0)
		upstream_group_note_dial(group_of(flow), flow->upstream - 1u, error, clock_ms());
	else if (!route->fence)
		upstream_outage_note(route_static_outage(flow->static_route), route->target,
		    route->pattern, error, clock_ms());
}

static void connect_to(struct flow *, const char *target, uint64_t timeout_ms);

/* `why` the last one failed. */
static void
connect_next(struct flow *flow, const char *why)
{
	struct flow_way *way = flow->way;
	struct upstream_group *group = group_of(flow);
	uint64_t left_ms = difference(way->whole.due_us, clock_us()) / 1000, share_ms;
	unsigned next = left_ms > 0 ? upstream_group_enter(group, way->tried_upstreams, clock_ms())
				    : UPSTREAM_NONE;

	if (next == UPSTREAM_NONE) {
		flow_refuse_because(flow, REFUSE_NO_AGENT, why);
		return;
	}
	if (way->tried_upstreams != 0) {
		flow_log_retry(flow, why);
		counter_add(&flow->worker->metrics.attempts_failed, 1);
	}
	flow_static_leave(flow);
	flow->upstream = (uint8_t)(next + 1);
	flow->attempts++;
	share_ms = upstream_group_share(group, way->tried_upstreams, left_ms,
	    route_static_config(flow->static_route)->connect_ms);
	way->tried_upstreams |= UINT32_C(1) << next;
	connect_to(flow, upstream_group_target(group, next), share_ms);
}

static void
connect_first(struct flow *flow)
{
	char why[UPSTREAM_DOWN_TEXT] = "the time is over";

	if (upstream_group_is_down(group_of(flow)))
		upstream_group_why_down(group_of(flow), why);
	connect_next(flow, why);
}

void
flow_static_failed(struct flow *flow, const char *why)
{
	char copy[SENTENCE_TEXT];

	snprintf(copy, sizeof copy, "%s", why);
	note_dial(flow, copy);
	if (group_of(flow))
		connect_next(flow, copy);
	else
		flow_refuse_because(flow, REFUSE_NO_AGENT, copy);
}

/* What a relay knows of the client, and of its TLS nothing. */
static size_t
make_header(const struct flow *flow, uint8_t header[PROXY_PLAIN_MOST])
{
	const struct route_static_settings *route = route_static_config(flow->static_route);
	const struct address listener = conn_listener(&flow->way->conn);
	const struct address from = flow_client(flow);
	struct proxy_header told = {
		.version = route->proxy_version, .source = &from, .destination = &listener
	};
	char id[2 * FLOW_ID_BYTES + 1];
	size_t bytes;

	if (route->proxy_version == 0)
		return 0;
	if (route->has_proxy_tlvs) {
		told.authority = flow_server_name(flow);
		told.unique_id = hex_encode(id, flow->id, sizeof flow->id);
		told.has_checksum = true;
	}
	bytes = proxy_encode(header, PROXY_PLAIN_MOST, &told);
	assert(bytes <= PROXY_PLAIN_MOST);
	return bytes;
}

static void
on_connected(void *arg, int fd, const char *error)
{
	struct flow *flow = arg;
	uint8_t header[PROXY_PLAIN_MOST];
	size_t header_bytes;

	flow->way->connector = NULL;
	if (fd == CONNECT_SHORT) {
		flow_refuse_because(flow, REFUSE_OVER_LIMIT, error);
		return;
	}
	if (fd < 0) {
		flow_static_failed(flow, error);
		return;
	}
	note_dial(flow, NULL);
	header_bytes = make_header(flow, header);
	if (route_static_config(flow->static_route)->asks_for_tls) {
		flow_starttls_begin(flow, fd, header, header_bytes);
		return;
	}
	flow->proxy_bytes = (uint32_t)header_bytes;
	flow_join(flow, stream_socket(fd), header, header_bytes, 0);
}

static void
connect_to(struct flow *flow, const char *target, uint64_t timeout_ms)
{
	flow->way->connector = connector_new(flow->worker->loop, flow->worker->shared->resolver,
	    target, timeout_ms, on_connected, flow);
	if (!flow->way->connector)
		flow_refuse_because(flow, REFUSE_OVER_LIMIT, "memory is short");
}

void
flow_static_begin(struct flow *flow, const struct route_answer *answer)
{
	const struct route_static_settings *route = route_static_config(answer->static_route);

	flow_move(flow, FLOW_CONNECTING);
	flow->static_route = answer->static_route;
	if (route->fence) {
		flow_dynamic_begin(flow, on_connected);
		return;
	}
	if (route->group)
		connect_first(flow);
	else
		connect_to(flow, route->target, route->connect_ms);
}
