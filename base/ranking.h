/*
 * Items of an array in the order of how often each was counted, so that the one
 * with most is at hand.  Everything takes constant time but lowering, which takes
 * as many steps at most as it lowers by.  The items embed a struct rank and are
 * known by their index; index 0 is none.  Only items with a count above 0 are in a
 * ranking, and several rankings may share one array.  A ranking takes four bytes
 * for each number up to the highest count.
 */
#ifndef BASE_RANKING_H
#define BASE_RANKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/array.h"

/* The ranking's own, but `count` may be read. */
struct rank {
	uint32_t count, before, after;
};

struct ranking {
	const struct array *items;
	size_t offset;       /* of the rank in an item */
	struct array levels; /* of uint32_t, by count: the first item that has it */
	uint32_t most;       /* the highest count */
};

/* Allocates nothing; wipe it in any case. The array must outlive the ranking. */
void ranking_init(struct ranking *, const struct array *items, size_t offset);
void ranking_wipe(struct ranking *);
/* Makes room for a count of this much; false when memory is short. */
bool ranking_reserve(struct ranking *, uint32_t count);
/* Counts so many more; there must be room. */
void ranking_raise(struct ranking *, uint32_t index, uint32_t by);
/* Counts so many less. */
void ranking_lower(struct ranking *, uint32_t index, uint32_t by);
/* Call it when the array has moved a ranked item. */
void ranking_moved(struct ranking *, uint32_t from, uint32_t to);
/* Of those with most, the one that has come to it first; 0 when the ranking is empty. */
uint32_t ranking_top(const struct ranking *);

static inline struct rank *
ranking_at(const struct ranking *ranking, uint32_t index)
{
	return (struct rank *)(void *)((char *)array_at(ranking->items, index) + ranking->offset);
}

#endif
