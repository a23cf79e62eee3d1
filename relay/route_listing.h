/*
 * The names that lead somewhere, one by one, as rows: those of static routes first, then those that agents
 * announce, or did within the last minute.  A step of a listing (base/listing.h), in any thread.
 */
#ifndef RELAY_ROUTE_LISTING_H
#define RELAY_ROUTE_LISTING_H

#include <stdbool.h>
#include <stddef.h>

#include "sni/name.h"

struct listing_step;
struct route_static;
struct routes;

/* Of an endpoint's name so many agents are told; how many there are is told always. */
enum { ROUTE_LIST_AGENTS = 16 };

struct route_list {
	struct routes *routes;
	struct route_static *const *statics; /* borrowed */
	size_t static_count;
	char name[NAME_SIZE]; /* this name or pattern alone; "": all */
};

/* A name that comes or goes meanwhile may be missed, or come twice. */
bool route_list_step(void *route_list, struct listing_step *);

#endif
