/*
 * The health checks of static routes' upstreams (base/health.h, tunnel/health_check.h), in the main
 * thread.  An upstream holds the certificate itself, so of one that is asked for TLS any will do.
 */
#ifndef RELAY_ROUTE_HEALTH_H
#define RELAY_ROUTE_HEALTH_H

#include <stdbool.h>

struct loop;
struct resolver;
struct route_health;
struct rules;

/* NULL when memory is short. */
struct route_health *route_health_new(struct loop *, struct resolver *);
void route_health_free(struct route_health *); /* NULL is fine */
/* From now on the upstreams of these rules are checked, which are held.  False when memory is short: some
 * are not checked until this is called again. */
bool route_health_watch(struct route_health *, struct rules *);
/* Before the fresh rules are in force: what is known of upstreams that have not changed stays known. */
void route_health_adopt(struct rules *fresh, const struct rules *old);

#endif
