/*
 * How often each of a few stable words was said, such as the reasons with which flows end.  One thread counts
 * (counter.h), any thread reads.
 *
 * Bound: WORD_COUNTS_MOST words; the others are counted as one, "other".  Words come from our own
 * sources, so nobody from outside can fill it.
 */
#ifndef BASE_WORD_COUNTS_H
#define BASE_WORD_COUNTS_H

#include <stddef.h>
#include "base/counter.h"

enum { WORD_COUNTS_MOST = 40 };

/* {0} has none. */
struct word_counts {
	_Atomic(const char *) word[WORD_COUNTS_MOST];
	struct thread_counter count[WORD_COUNTS_MOST], other;
};

/* The word is borrowed for ever. */
void word_counts_add(struct word_counts *, const char *word);

/* Those of several threads together; {0} has none. */
struct word_sums {
	const char *word[WORD_COUNTS_MOST + 1];
	uint64_t count[WORD_COUNTS_MOST + 1];
	size_t words;
};
void word_counts_sum(struct word_sums *, const struct word_counts *);

#endif
