/*
 * The sessions of a worker, one by one, as flow_listing.h has its flows.
 */
#ifndef RELAY_AGENT_SESSION_LISTING_H
#define RELAY_AGENT_SESSION_LISTING_H

#include <stdbool.h>

struct listing_step;

bool agent_session_list(void *worker_context, struct listing_step *);
/* Counts those that it ends in count[1]. */
bool agent_session_list_kick(void *worker_context, struct listing_step *);

#endif
