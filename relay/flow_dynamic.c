/* Connects a flow to the upstream that its server name decides. */
#include "relay/flow_dynamic.h"

#include <stdio.h>
#include "base/log.h"
#include "base/resolver.h"
#include "base/shares.h"
#include "base/socket.h"
#include "relay/flow_private.h"
#include "relay/route_template.h"
#include "relay/rules.h"
#include "relay/shared.h"
#include "relay/upstream_fence.h"

bool
flow_dynamic_target(const struct flow *flow, char out[UPSTREAM_URL_TARGET])
{
	const struct route_static_settings *route = route_static_config(flow->static_route);
	char label[TEMPLATE_LABEL];

	return route_template_label(label, route->pattern, flow_server_name(flow)) &&
	    route_template_expand(out, route->target, label);
}

static void
log_refused_address(const struct flow *flow, const struct address *address, const char *why)
{
	const struct address from = flow_client(flow);
	char client[ADDRESS_TEXT], upstream[UPSTREAM_URL_TARGET];
	char text[ADDRESS_TEXT], sentence[CONNECT_WHY + 64];

	if (!flow_dynamic_target(flow, upstream))
		return;
	snprintf(sentence, sizeof sentence, "an address of this upstream %s", why);
	log_limited(LOG_WARNING, "upstream-fenced", &from, sentence,
	    log_hex("flow", flow->id, sizeof flow->id),
	    log_str("client", address_text(&from, client)),
	    log_str("server_name", flow_server_name(flow)), log_str("route", flow->way->route),
	    log_str("upstream", upstream), log_str("address", address_text(address, text)));
}

/* The first address is asked about when the look-up is over. */
static bool
allows(void *arg, const struct address *address, char why[CONNECT_WHY])
{
	struct flow *flow = arg;
	const struct route_static_settings *route = route_static_config(flow->static_route);

	shares_leave(flow->way->asking);
	flow->way->asking = NULL;
	if (upstream_fence_allows(route->fence, route->fence_count, &flow->way->rules->settings,
		flow->way->conn.listener, address, why))
		return true;
	log_refused_address(flow, address, why);
	return false;
}

static void
on_evicted(void *arg)
{
	flow_refuse_because(arg, REFUSE_OVER_LIMIT,
	    "too many names of clients are being looked up, and most of them for this network");
}

void
flow_dynamic_begin(struct flow *flow, void (*on_connected)(void *flow, int fd, const char *error))
{
	const struct connector_fence fence = { allows, flow };
	const struct address from = flow_client(flow);
	struct shared *shared = flow->worker->shared;
	struct shares_entrant entrant = { flow->worker->loop, &from, 0, on_evicted, flow };
	char target[UPSTREAM_URL_TARGET];
	enum shares_verdict verdict;

	if (!flow_dynamic_target(flow, target)) {
		flow_refuse_because(flow, REFUSE_UNKNOWN_NAME,
		    "the upstream is named after the client's name, which makes no host's name of it");
		return;
	}
	flow->way->asking = shares_enter(shared->strange_lookups, &entrant, &verdict);
	if (flow->way->asking)
		flow->way->connector = connector_new_fenced(flow->worker->loop, shared->resolver,
		    target, route_static_config(flow->static_route)->connect_ms, &fence,
		    on_connected, flow);
	if (!flow->way->connector)
		on_connected(flow, CONNECT_SHORT, "memory is short");
}
