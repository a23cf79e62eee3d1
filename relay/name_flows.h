/*
 * How many flows each name has at the moment.  A name is the pattern of its route,
 * so that a wildcard is one name.
 *
 * Shared by:     all workers and all clients, under one lock, which is held shortly, once
 *                when a flow begins and once when it ends.
 * Bound:         a name is there as long as it has flows, so there are no more names than
 *                are routed or announced, and never more than flows.
 * Who leaves:    nobody for another: one more flow of a name that has `most` is refused.
 */
#ifndef RELAY_NAME_FLOWS_H
#define RELAY_NAME_FLOWS_H

#include <stdint.h>

struct name_flows;
struct name_flows_place;

/* NULL when memory is short. */
struct name_flows *name_flows_new(void);
/* Every place must have been left. */
void name_flows_free(struct name_flows *);
/* Counts one more flow of this name (most 0: without a bound). NULL with *trouble, a sentence: it has
 * `most`, or memory is short. */
struct name_flows_place *name_flows_enter(
    struct name_flows *, const char *name, uint64_t most, const char **trouble);
/* Borrowed until the place is left; NULL of NULL. */
const char *name_flows_name(const struct name_flows_place *);
/* How many flows of this name there are. */
uint64_t name_flows_count(struct name_flows *, const char *name);
/* NULL is fine. */
void name_flows_leave(struct name_flows *, struct name_flows_place *);

#endif
