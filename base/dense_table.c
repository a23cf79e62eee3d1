/*
 * A hash table of small items that lie in one array.
 *
 * It grows by linear hashing: with n slots, a hash belongs to slot hash mod 2^k, where 2^k is
 * the power of two at or above n, and if there is no such slot yet, to hash mod
 * 2^(k-1).  So a new last slot takes its items from one other slot only.
 */
#include "base/dense_table.h"

#include <stdlib.h>
#include <string.h>
#include "base/hash.h"

/* Items for each slot: above MOST a slot is added, below LEAST one is given up. */
enum { MOST_ON_A_SLOT = 3, LEAST_ON_A_SLOT = 1 };

void
dense_table_init(struct dense_table *table, size_t item_bytes)
{
	*table = (struct dense_table){ 0 };
	array_init(&table->items, item_bytes);
	array_init(&table->slots, sizeof(uint32_t));
	arc4random_buf(table->hash_key, sizeof table->hash_key);
}

void
dense_table_wipe(struct dense_table *table)
{
	array_wipe(&table->items);
	array_wipe(&table->slots);
	table->count = table->slot_count = 0;
}

static struct dense_link *
link_at(const struct dense_table *table, uint32_t index)
{
	return array_at(&table->items, index);
}

static uint32_t *
slot_of(const struct dense_table *table, uint64_t key)
{
	uint64_t hash = hash_bytes(table->hash_key, &key, sizeof key);
	uint64_t mask = 1;
	uint64_t slot;

	while (mask < table->slot_count)
		mask *= 2;
	slot = hash & (mask - 1);
	if (slot >= table->slot_count)
		slot = hash & (mask / 2 - 1);
	return array_at(&table->slots, slot);
}

static void
put(struct dense_table *table, uint32_t index)
{
	struct dense_link *link = link_at(table, index);
	uint32_t *slot = slot_of(table, dense_table_key(link));

	link->next = *slot;
	*slot = index;
}

/* Puts the items of a slot where they belong now. */
static void
spread(struct dense_table *table, uint32_t *slot)
{
	uint32_t index = *slot, next;

	*slot = 0;
	for (; index != 0; index = next) {
		next = link_at(table, index)->next;
		put(table, index);
	}
}

/* The slot that shares its items with the slot of this number when that is the last one. */
static uint32_t *
partner_of(const struct dense_table *table, uint32_t number)
{
	uint32_t half = 1;

	while (half * 2 <= number)
		half *= 2;
	return array_at(&table->slots, number - half);
}

static void
add_slot(struct dense_table *table)
{
	uint32_t number = table->slot_count++;

	*(uint32_t *)array_at(&table->slots, number) = 0;
	if (number > 0)
		spread(table, partner_of(table, number));
}

static void
drop_slot(struct dense_table *table)
{
	uint32_t *last = array_at(&table->slots, --table->slot_count);

	spread(table, last);
	array_trim(&table->slots, table->slot_count);
}

bool
dense_table_reserve(struct dense_table *table)
{
	return array_reserve(&table->items, (size_t)table->count + 2) &&
	    array_reserve(&table->slots, (size_t)table->slot_count + 1);
}

uint32_t
dense_table_add(struct dense_table *table, uint64_t key)
{
	uint32_t index = ++table->count;

	if (table->count > table->slot_count * (uint64_t)MOST_ON_A_SLOT)
		add_slot(table);
	memset(link_at(table, index), 0, table->items.item_bytes);
	*link_at(table, index) =
	    (struct dense_link){ .key = { (uint32_t)(key >> 32), (uint32_t)key } };
	put(table, index);
	return index;
}

/* What points at this item in its chain. */
static uint32_t *
pointer_to(const struct dense_table *table, uint32_t index)
{
	uint32_t *at = slot_of(table, dense_table_key(link_at(table, index)));

	while (*at != index)
		at = &link_at(table, *at)->next;
	return at;
}

uint32_t
dense_table_remove(struct dense_table *table, uint32_t index)
{
	uint32_t last = table->count;

	*pointer_to(table, index) = link_at(table, index)->next;
	if (index != last) {
		*pointer_to(table, last) = index;
		memcpy(link_at(table, index), link_at(table, last), table->items.item_bytes);
	}
	table->count--;
	if (table->count < table->slot_count * (uint64_t)LEAST_ON_A_SLOT)
		drop_slot(table);
	array_trim(&table->items, (size_t)table->count + 1);
	return index != last ? last : 0;
}

static uint32_t
same_key(const struct dense_table *table, uint32_t index, uint64_t key)
{
	while (index != 0 && dense_table_key(link_at(table, index)) != key)
		index = link_at(table, index)->next;
	return index;
}

uint32_t
dense_table_first(const struct dense_table *table, uint64_t key)
{
	return table->slot_count > 0 ? same_key(table, *slot_of(table, key), key) : 0;
}

uint32_t
dense_table_next(const struct dense_table *table, uint32_t index)
{
	const struct dense_link *link = link_at(table, index);

	return same_key(table, link->next, dense_table_key(link));
}

size_t
dense_table_bytes(const struct dense_table *table)
{
	return array_bytes(&table->items) + array_bytes(&table->slots);
}
