/*
 * The smaller and the larger of two numbers that are not negative, how much one is larger, and how
 * many units are begun.
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

/* So many units hold that much; unit is not 0. */
static inline uint64_t
units_for(uint64_t amount, uint64_t unit)
{
	return amount / unit + (amount % unit > 0);
}

#endif
