/* Chunks of equal size and a directory of them; only the directory is copied when it grows. */
#include "base/array.h"

#include <stdlib.h>

enum { CHUNK_BYTES = 4096, FIRST_CHUNKS = 4 };

void
array_init(struct array *array, size_t item_bytes)
{
	*array = (struct array){ .item_bytes = item_bytes };
	while (item_bytes << (array->shift + 1) <= CHUNK_BYTES)
		array->shift++;
}

void
array_wipe(struct array *array)
{
	while (array->chunk_count > 0)
		free(array->chunks[--array->chunk_count]);
	free(array->chunks);
	array_init(array, array->item_bytes);
}

static bool
grow_directory(struct array *array)
{
	size_t most = array->chunk_most ? 2 * array->chunk_most : FIRST_CHUNKS;
	unsigned char **chunks;

	if (array->chunk_count < array->chunk_most)
		return true;
	chunks = reallocarray(array->chunks, most, sizeof *chunks);
	if (!chunks)
		return false;
	array->chunks = chunks;
	array->chunk_most = most;
	return true;
}

bool
array_reserve(struct array *array, size_t count)
{
	while (array->chunk_count << array->shift < count) {
		unsigned char *chunk;

		if (!grow_directory(array))
			return false;
		chunk = calloc((size_t)1 << array->shift, array->item_bytes);
		if (!chunk)
			return false;
		array->chunks[array->chunk_count++] = chunk;
	}
	return true;
}

/* Without memory for a smaller directory the large one is as good. */
static void
shrink_directory(struct array *array)
{
	size_t most = array->chunk_most / 2;
	unsigned char **chunks;

	if (array->chunk_count * 4 > array->chunk_most || most < FIRST_CHUNKS)
		return;
	chunks = reallocarray(array->chunks, most, sizeof *chunks);
	if (!chunks)
		return;
	array->chunks = chunks;
	array->chunk_most = most;
}

void
array_trim(struct array *array, size_t count)
{
	size_t kept = ((count + ((size_t)1 << array->shift) - 1) >> array->shift) + 1;

	while (array->chunk_count > kept) {
		free(array->chunks[--array->chunk_count]);
		shrink_directory(array);
	}
}

size_t
array_bytes(const struct array *array)
{
	return array->chunk_count * (array->item_bytes << array->shift) +
	    array->chunk_most * sizeof *array->chunks;
}
