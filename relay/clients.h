/*
 * How many flows there may be at once: in all, and for each client's address
 * (IPv6 by its /64).  Shared by all workers; one short lock a flow, none for
 * its bytes.
 */
#ifndef RELAY_CLIENTS_H
#define RELAY_CLIENTS_H

#include <stdint.h>
#include "base/address.h"

struct clients;

enum clients_verdict { CLIENTS_OK, CLIENTS_FLOWS, CLIENTS_FLOWS_PER_CLIENT, CLIENTS_MEMORY };

/* NULL when memory is short. */
struct clients *clients_new(uint64_t flows, uint64_t flows_per_client);
void clients_free(struct clients *);
/* The bounds hold from now on; no flow that is counted ends for them. */
void clients_set(struct clients *, uint64_t flows, uint64_t flows_per_client);
/* Counts one more flow of this client, or says which limit forbids it. */
enum clients_verdict clients_enter(struct clients *, const struct address *client);
/* Call it once for each CLIENTS_OK. */
void clients_leave(struct clients *, const struct address *client);
uint64_t clients_flows(struct clients *);
/* What stands in the way, for the log: "limits.flows is reached". */
const char *clients_trouble(enum clients_verdict);

#endif
