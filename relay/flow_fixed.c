/* A static upstream: connect, say whose connection it is if so wished, join. */
#include "relay/flow.h"

#include <stdio.h>
#include "base/proxy.h"
#include "base/socket.h"
#include "relay/flow_parts.h"
#include "relay/relay.h"
#include "tunnel/stream.h"

enum { CONNECT_MS = 5000 };

static void
on_connected(void *arg, int fd, const char *error)
{
	struct flow *flow = arg;
	int version = route_fixed_facts(flow->fixed)->proxy_version;
	uint8_t header[PROXY_MOST];

	flow->connector = NULL;
	if (fd < 0) {
		snprintf(flow->trouble, sizeof(flow->trouble), "%s", error);
		flow_refuse(flow, REFUSE_NO_AGENT);
		return;
	}
	if (version > 0)
		flow->proxy_bytes = proxy_encode(header, version, &flow->visit.client,
		    visit_listener(&flow->visit));
	flow_join(flow, stream_socket(fd), header, flow->proxy_bytes, 0);
}

void
flow_fixed_begin(struct flow *flow, const struct route_answer *answer)
{
	flow_move(flow, FLOW_CONNECTING);
	flow->fixed = answer->fixed;
	flow->connector = connector_new(flow->station->loop, flow->station->relay->resolver,
	    route_fixed_facts(flow->fixed)->target, CONNECT_MS, on_connected, flow);
	if (flow->connector == NULL)
		flow_refuse(flow, REFUSE_NO_AGENT);
}
