/*
 * How many flows there may be at once: in all, and for each client's address
 * (IPv6 by its /64).  Shared by all workers; one short lock a flow, none for
 * its bytes.
 */
#ifndef RELAY_LIMITS_H
#define RELAY_LIMITS_H

#include <stdint.h>
#include "base/address.h"

struct limits;

enum limits_verdict { LIMITS_OK, LIMITS_FLOWS, LIMITS_FLOWS_PER_CLIENT, LIMITS_MEMORY };

/* NULL when memory is short. */
struct limits *limits_new(uint64_t flows, uint64_t flows_per_client);
void limits_free(struct limits *);
/* From now on; nobody is thrown out. */
void limits_set(struct limits *, uint64_t flows, uint64_t flows_per_client);
/* Counts one more flow of this client, or says which limit forbids it. */
enum limits_verdict limits_enter(struct limits *, const struct address *client);
/* For each LIMITS_OK once. */
void limits_leave(struct limits *, const struct address *client);
uint64_t limits_flows(struct limits *);
/* The setting's key: "limits.flows_per_client". */
const char *limits_key(enum limits_verdict);

#endif
