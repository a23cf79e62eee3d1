/*
 * The way to a static upstream that the client's name decides (route_template.h):
 * fills the label in, looks the host up as a name of strangers (resolver.h), and
 * connects within the fence (upstream_fence.h).
 *
 * Shared by:     all clients, on all workers: the look-ups of such names.
 * Bound:         RESOLVER_STRANGE_ASKERS at the same time.
 * Who leaves:    the oldest of the network with most (base/shares.h): a name that
 *                is not answered soon will not be.
 */
#ifndef RELAY_FLOW_DYNAMIC_H
#define RELAY_FLOW_DYNAMIC_H

#include <stdbool.h>
#include "base/upstream_url.h"

struct flow;

/* The flow has such a route: where it leads. False: the client's name cannot be put in. */
bool flow_dynamic_target(const struct flow *, char out[UPSTREAM_URL_TARGET]);
/* Connects; on_connected is as connector_new() wants it. Or refuses the flow. */
void flow_dynamic_begin(struct flow *, void (*on_connected)(void *flow, int fd, const char *error));

#endif
