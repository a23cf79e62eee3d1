/* Counts by words, and adds up the counts of several threads. */
#include "base/word_counts.h"

#include <stdbool.h>
#include <string.h>

/* Most words come from one place, so that the pointers are equal. */
static bool
is_same(const char *a, const char *b)
{
	return a == b || strcmp(a, b) == 0;
}

void
word_counts_add(struct word_counts *counts, const char *word)
{
	for (size_t i = 0; i < WORD_COUNTS_MOST; i++) {
		const char *here = atomic_load_explicit(&counts->word[i], memory_order_relaxed);

		if (!here)
			atomic_store_explicit(&counts->word[i], word, memory_order_release);
		if (!here || is_same(here, word)) {
			counter_add(&counts->count[i], 1);
			return;
		}
	}
	counter_add(&counts->other, 1);
}

static void
add(struct word_sums *sums, const char *word, uint64_t count)
{
	size_t at = 0;

	while (at < sums->words && !is_same(sums->word[at], word))
		at++;
	/* Together they may have met more words than each has room for. */
	if (at == WORD_COUNTS_MOST + 1)
		at = WORD_COUNTS_MOST;
	else if (at == sums->words)
		sums->word[sums->words++] = word;
	sums->count[at] += count;
}

void
word_counts_sum(struct word_sums *sums, const struct word_counts *counts)
{
	for (size_t i = 0; i < WORD_COUNTS_MOST; i++) {
		const char *word = atomic_load_explicit(&counts->word[i], memory_order_acquire);

		if (!word)
			break;
		add(sums, word, counter_read(&counts->count[i]));
	}
	if (counter_read(&counts->other) > 0)
		add(sums, "other", counter_read(&counts->other));
}
