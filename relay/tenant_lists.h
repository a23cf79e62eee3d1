/*
 * What is remembered for tenants (relay/usage.h), in the order in which it came: one list of all of it, and
 * one of each tenant.  From these who has most loses his oldest when there is too much.  Items weigh the same
 * unless they say otherwise.
 *
 * Items are embedded in what is remembered.  Nothing here has a lock: its owner does.
 */
#ifndef RELAY_TENANT_LISTS_H
#define RELAY_TENANT_LISTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include "base/hash.h"
#include "base/heap.h"

struct tenant_list;

struct tenant_item {
	TAILQ_ENTRY(tenant_item) of_all, of_tenant;
	struct tenant_list *list; /* NULL: it is in none; {0} so */
	size_t weight;            /* set before it is added; 0 is as 1 */
};

TAILQ_HEAD(tenant_items, tenant_item);

struct tenant_lists {
	struct tenant_items items; /* the oldest first */
	size_t count, weight;      /* of them */
	struct table lists;
	struct heap by_weight; /* of lists, the heaviest first */
};

/* False when memory is short. */
bool tenant_lists_init(struct tenant_lists *);
/* All items must have been removed. */
void tenant_lists_wipe(struct tenant_lists *);

/* As the newest, of the tenant with this key of IDENTITY_KEY_BYTES.  False when memory is short. */
bool tenant_lists_add(struct tenant_lists *, struct tenant_item *, const uint8_t *tenant_key);
/* Of the tenant in whose list it is. */
const uint8_t *tenant_lists_key(const struct tenant_item *);
/* Harmless when it is in none. */
void tenant_lists_remove(struct tenant_lists *, struct tenant_item *);

/* NULL: there is none. */
struct tenant_item *tenant_lists_oldest(const struct tenant_lists *);
/* The oldest one of the tenant whose weigh most, if all weigh more than that; else NULL. */
struct tenant_item *tenant_lists_surplus(const struct tenant_lists *, size_t most);

#endif
