/*
 * How fast strangers may come: agents' sessions and channels before any TLS is
 * done for them, clients' flows, and the flows of one name.
 *
 * All of it is one table of base/rate.h (which says its bound and who leaves it),
 * shared by all workers and all clients.  Agents that come from a block where one
 * authenticated lately (recent_peers.h) have buckets of their own, so that unknown
 * peers cannot use those up.
 */
#ifndef RELAY_ARRIVAL_H
#define RELAY_ARRIVAL_H

#include <stdbool.h>

struct address;
struct rate_table;
struct settings_limits;

/* The bounds hold from now on. */
void arrival_set_bounds(struct rate_table *, const struct settings_limits *);

/* Each counts one more and answers NULL, or says which limit forbids it, as a sentence. */
const char *arrival_of_agent(
    struct rate_table *, const struct address *client, bool is_session, bool is_known);
const char *arrival_of_flow(struct rate_table *, const struct address *client);
const char *arrival_of_name(struct rate_table *, const char *pattern);

#endif
