/*
 * An array of items of one size that grows and shrinks by chunks, so that no
 * item is ever copied for growth, a pointer to one stays good, and no step takes
 * long.  Growing may fail; shrinking cannot.
 *
 *	array_init(&array, sizeof(struct thing));
 *	if (array_reserve(&array, n + 1))  { struct thing *it = array_at(&array, n); ... }
 *	array_trim(&array, n);             gives back what lies well beyond n items
 */
#ifndef BASE_ARRAY_H
#define BASE_ARRAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct array {
	unsigned char **chunks;
	size_t chunk_count, chunk_most; /* those that exist; for how many the directory has room */
	size_t item_bytes;
	unsigned shift; /* a chunk has 1 << shift items, some 4 KiB */
};

/* Allocates nothing; wipe it in any case. */
void array_init(struct array *, size_t item_bytes);
void array_wipe(struct array *);
/* Makes sure that items 0 .. count-1 are there; those of a new chunk are zero.  False when memory is
 * short: the array is as before. */
bool array_reserve(struct array *, size_t count);
/* Gives back the chunks behind those of `count` items, but for one that the next reserve may want. */
void array_trim(struct array *, size_t count);
/* What is held at the moment. */
size_t array_bytes(const struct array *);

/* The item must have been reserved. */
static inline void *
array_at(const struct array *array, size_t index)
{
	size_t in_chunk = index & (((size_t)1 << array->shift) - 1);

	return array->chunks[index >> array->shift] + in_chunk * array->item_bytes;
}

#endif
