/* Lists of free blocks, by size, in one stretch of memory that only grows. */
#include "arena.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "sim.h"

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *, size_t bytes);

#if SIM_HAS_ARENA

void __real_free(void *);
void __wrap_free(void *);

enum { UNIT = 16, SIZES = 512, ARENA_BYTES = 256 << 20 };

/* What stands before each block, and keeps it aligned. */
struct block {
	_Alignas(UNIT) struct block *next;	/* of those that are free */
	uint32_t size;				/* of the block behind it, in units */
	uint32_t is_free;
};

static uint8_t *arena;
static size_t used;
static struct block *free_ones[SIZES];
static unsigned held;

static struct block *
block_of(void *memory)
{
	return (struct block *)memory - 1;
}

static bool
is_ours(const void *memory)
{
	return (uintptr_t)memory - (uintptr_t)arena < ARENA_BYTES;
}

/* The system gives a page when it is touched first. */
static struct block *
cut(uint32_t size)
{
	struct block *block;

	if (!arena)
		arena = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert(arena != MAP_FAILED);
	block = (struct block *)(void *)(arena + used);
	used += sizeof *block + (size_t)size * UNIT;
	assert(used <= ARENA_BYTES);
	block->size = size;
	return block;
}

void *
arena_take(size_t bytes)
{
	size_t size = (bytes + UNIT - 1) / UNIT;
	struct block *block;

	if (size >= SIZES)
		return __real_malloc(bytes);
	block = free_ones[size];
	if (block)
		free_ones[size] = block->next;
	else
		block = cut((uint32_t)size);
	block->is_free = false;
	held++;
	return block + 1;
}

void *
arena_take_zeroed(size_t count, size_t bytes)
{
	void *memory;

	if (bytes > 0 && count >= SIZES * UNIT / bytes)
		return __real_calloc(count, bytes);
	memory = arena_take(count * bytes);
	return memset(memory, 0, count * bytes);
}

void
__wrap_free(void *memory)
{
	struct block *block = block_of(memory);

	if (!is_ours(memory)) {
		__real_free(memory);
		return;
	}
	if (block->is_free)
		sim_violated("memory is freed twice");
	block->is_free = true;
	block->next = free_ones[block->size];
	free_ones[block->size] = block;
	held--;
}

void *
arena_resize(void *memory, size_t bytes)
{
	size_t room;
	void *larger;

	if (memory && !is_ours(memory))
		return __real_realloc(memory, bytes);
	room = memory ? (size_t)block_of(memory)->size * UNIT : 0;
	if (memory && bytes <= room && bytes > room / 2)
		return memory;
	larger = arena_take(bytes);
	if (larger && memory) {
		memcpy(larger, memory, bytes < room ? bytes : room);
		free(memory);
	}
	return larger;
}

unsigned
arena_held(void)
{
	return held;
}

#else

void *
arena_take(size_t bytes)
{
	return __real_malloc(bytes);
}

void *
arena_take_zeroed(size_t count, size_t bytes)
{
	return __real_calloc(count, bytes);
}

void *
arena_resize(void *memory, size_t bytes)
{
	return __real_realloc(memory, bytes);
}

unsigned
arena_held(void)
{
	return 0;
}

#endif
