/*
 * The flows of a worker, one by one: as rows for who looks, and to be ended for who kicks.  Both are steps
 * of a listing (base/listing.h), in the worker's thread.
 */
#ifndef RELAY_FLOW_LISTING_H
#define RELAY_FLOW_LISTING_H

#include <stdbool.h>

struct listing_step;

/* `what` is a struct listing_filter. */
bool flow_list(void *worker_context, struct listing_step *);
/* The same, and counts those that it ends in count[0]. */
bool flow_list_kick(void *worker_context, struct listing_step *);

#endif
