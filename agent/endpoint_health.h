/*
 * The health checks of an agent's upstreams (base/health.h, tunnel/health_check.h), in the main
 * thread: those of the endpoints whose configuration asks for them.  A tls:// upstream is judged as a
 * flow would judge it, with the agent's own certificate; of one that holds the endpoint's key itself it
 * is only asked whether it speaks TLS.
 */
#ifndef AGENT_ENDPOINT_HEALTH_H
#define AGENT_ENDPOINT_HEALTH_H

#include <stdbool.h>

struct endpoint_health;
struct endpoint_table;
struct loop;
struct resolver;

/* on_change: an upstream has gone up or down.  NULL when memory is short. */
struct endpoint_health *endpoint_health_new(
    struct loop *, struct resolver *, void (*on_change)(void *arg), void *arg);
void endpoint_health_free(struct endpoint_health *); /* NULL is fine */
/* From now on the upstreams of this table are checked, which is held; what is known of them stays known.
 * False when memory is short: some are not checked until this is called again. */
bool endpoint_health_watch(struct endpoint_health *, struct endpoint_table *);

#endif
