/* Keeps lists of items by tenant.  A tenant's list is made for its first item, and gone with its last. */
#include "relay/tenant_lists.h"

#include <stdlib.h>
#include <string.h>
#include "pki/identity.h"

struct tenant_list {
	struct hash_link link;
	struct heap_node by_weight; /* while it has items */
	uint8_t key[IDENTITY_KEY_BYTES];
	struct tenant_items items; /* the oldest first */
	size_t weight;
};

static size_t
weight_of(const struct tenant_item *item)
{
	return item->weight > 0 ? item->weight : 1;
}

static struct tenant_list *
list_at(const struct heap_node *node)
{
	return container_of(node, struct tenant_list, by_weight);
}

static bool
is_heavier(const struct heap_node *a, const struct heap_node *b)
{
	return list_at(a)->weight > list_at(b)->weight;
}

bool
tenant_lists_init(struct tenant_lists *lists)
{
	TAILQ_INIT(&lists->items);
	lists->count = lists->weight = 0;
	heap_init(&lists->by_weight, is_heavier);
	return table_init(&lists->lists);
}

void
tenant_lists_wipe(struct tenant_lists *lists)
{
	table_wipe(&lists->lists);
}

static bool
is_of(const struct hash_link *at, const void *key)
{
	return memcmp(container_of(at, const struct tenant_list, link)->key, key,
		   IDENTITY_KEY_BYTES) == 0;
}

/* NULL when memory is short. */
static struct tenant_list *
list_of(struct tenant_lists *lists, const uint8_t *key)
{
	uint64_t hash = table_hash(&lists->lists, key, IDENTITY_KEY_BYTES);
	struct hash_link *at = table_find(&lists->lists, hash, is_of, key);
	struct tenant_list *list;

	if (at)
		return container_of(at, struct tenant_list, link);
	list = calloc(1, sizeof *list);
	if (!list)
		return NULL;
	memcpy(list->key, key, IDENTITY_KEY_BYTES);
	TAILQ_INIT(&list->items);
	table_add(&lists->lists, &list->link, hash);
	return list;
}

/* Its items weigh so much now. */
static void
weigh(struct tenant_lists *lists, struct tenant_list *list, size_t weight)
{
	if (list->weight > 0)
		heap_remove(&lists->by_weight, &list->by_weight);
	lists->weight += weight - list->weight;
	list->weight = weight;
	if (weight > 0) {
		heap_add(&lists->by_weight, &list->by_weight);
		return;
	}
	table_remove(&lists->lists, &list->link);
	free(list);
}

bool
tenant_lists_add(struct tenant_lists *lists, struct tenant_item *item, const uint8_t *tenant_key)
{
	struct tenant_list *list = list_of(lists, tenant_key);

	if (!list)
		return false;
	item->list = list;
	TAILQ_INSERT_TAIL(&lists->items, item, of_all);
	TAILQ_INSERT_TAIL(&list->items, item, of_tenant);
	lists->count++;
	weigh(lists, list, list->weight + weight_of(item));
	return true;
}

const uint8_t *
tenant_lists_key(const struct tenant_item *item)
{
	return item->list->key;
}

void
tenant_lists_remove(struct tenant_lists *lists, struct tenant_item *item)
{
	struct tenant_list *list = item->list;

	if (!list)
		return;
	item->list = NULL;
	TAILQ_REMOVE(&lists->items, item, of_all);
	TAILQ_REMOVE(&list->items, item, of_tenant);
	lists->count--;
	weigh(lists, list, list->weight - weight_of(item));
}

struct tenant_item *
tenant_lists_oldest(const struct tenant_lists *lists)
{
	return TAILQ_FIRST(&lists->items);
}

struct tenant_item *
tenant_lists_surplus(const struct tenant_lists *lists, size_t most)
{
	return lists->weight > most ? TAILQ_FIRST(&list_at(lists->by_weight.first)->items) : NULL;
}
