/*
 * The flows of a worker, one by one, as rows: a step of a listing (base/listing.h), in the worker's thread.
 */
#ifndef AGENT_FLOW_LISTING_H
#define AGENT_FLOW_LISTING_H

#include <stdbool.h>

struct listing_step;

/* The place is a struct agent_flow_place. */
bool agent_flow_list_step(void *place, struct listing_step *);

#endif
