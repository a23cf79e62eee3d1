/*
 * Internal to the route table: what its sources share.
 */
#ifndef RELAY_ROUTE_PRIVATE_H
#define RELAY_ROUTE_PRIVATE_H

#include <pthread.h>
#include "base/hash.h"
#include "pki/identity.h"
#include "relay/route.h"

struct route_endpoint {
	struct session_ref *session_ref;		/* held */
	uint32_t number;
	uint16_t weight;
	uint8_t carriers;
	enum cover cover;
};

struct route_pattern {
	struct hash_link link;
	char name[NAME_SIZE];
	struct route_static **static_route;	/* held, in the order of the file */
	size_t static_count;
	struct route_endpoint *endpoints;
	size_t endpoint_count, endpoint_capacity;
};

struct routes {
	pthread_rwlock_t lock;
	struct table patterns;
	char connect_name[NAME_SIZE];
};

/* Under the lock. NULL when it is not there / when memory is short. */
struct route_pattern *route_pattern_find(struct routes *, const char *name);
struct route_pattern *route_pattern_want(struct routes *, const char *name);
/* Frees the pattern if nothing is left in it. */
void route_pattern_tidy(struct routes *, struct route_pattern *);

#endif
