/*
 * A hash table of very many small items that lie densely in one array and are
 * known by their index, which is a third of a pointer's weight.  Index 0 is none.
 * Its hash is keyed (hash.h).  It grows and shrinks by one slot at a time (linear
 * hashing, Litwin 1980), so that no step takes long, and what it holds
 * follows the number of its items both ways.
 *
 * Removing moves the last item into the gap: dense_table_remove() says which one
 * has moved, and whoever remembers indices puts them right.
 */
#ifndef BASE_DENSE_TABLE_H
#define BASE_DENSE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/array.h"

/* The first member of an item; the table's own. */
struct dense_link {
	uint32_t next;
	uint32_t key[2]; /* in halves, so that an item need not be a multiple of 8 bytes */
};

struct dense_table {
	struct array items; /* 1 .. count */
	struct array slots; /* of uint32_t, the first item of each chain */
	uint32_t count, slot_count;
	uint8_t hash_key[16];
};

/* Allocates nothing; wipe it in any case. */
void dense_table_init(struct dense_table *, size_t item_bytes);
void dense_table_wipe(struct dense_table *);
/* Makes room for one more; false when memory is short. */
bool dense_table_reserve(struct dense_table *);
/* The index of a new item, which is zero but for its link.  There must be room. */
uint32_t dense_table_add(struct dense_table *, uint64_t key);
/* Returns the index from which the last item was moved to `index`, or 0 when none was. */
uint32_t dense_table_remove(struct dense_table *, uint32_t index);
/* An item of this key, and the others that have the same; 0: there is none. */
uint32_t dense_table_first(const struct dense_table *, uint64_t key);
uint32_t dense_table_next(const struct dense_table *, uint32_t index);
size_t dense_table_bytes(const struct dense_table *);

static inline void *
dense_table_at(const struct dense_table *table, uint32_t index)
{
	return array_at(&table->items, index);
}

static inline uint64_t
dense_table_key(const struct dense_link *link)
{
	return (uint64_t)link->key[0] << 32 | link->key[1];
}

#endif
