/*
 * The memory of a simulation: blocks of one size lie in one list, the one freed
 * last in front, so that taking and giving back are a few instructions.  A block
 * that is freed twice is a violation.  Large blocks, and all under a sanitizer
 * (which wants to see each of them), are the C library's.
 */
#ifndef TESTS_SIM_ARENA_H
#define TESTS_SIM_ARENA_H

#include <stddef.h>

/* As malloc() and realloc() of the C library; free() takes blocks of both. */
void *arena_take(size_t bytes);
void *arena_take_zeroed(size_t count, size_t bytes);
void *arena_resize(void *, size_t bytes);
/* Blocks that were taken and not freed; always 0 under a sanitizer. */
unsigned arena_held(void);

#endif
