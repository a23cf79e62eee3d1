/*
 * What `status` says of the upstreams of one endpoint or route.
 */
#ifndef BASE_UPSTREAM_STATUS_H
#define BASE_UPSTREAM_STATUS_H

#include <jansson.h>

struct upstream_group;

/* One by one: {"upstream", "health", "flows", "error"}.  NULL when memory is short. */
json_t *upstream_status(struct upstream_group *);

#endif
