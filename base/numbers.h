/*
 * The smaller and the larger of two numbers that are not negative, and how much one is larger.
 */
#ifndef BASE_NUMBERS_H
#define BASE_NUMBERS_H

#include <stdint.h>

static inline uint64_t
smaller_of(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t
larger_of(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* 0 where b is the larger one. */
static inline uint64_t
difference(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

#endif
