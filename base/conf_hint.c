/* Which of the known words was meant: the nearest by the edits that fingers make. */
#include "base/conf_private.h"

#include <stdio.h>
#include <string.h>
#include "base/numbers.h"

enum { WORD_MOST = 48 };

/* Edits (insert, delete, replace, swap of neighbours) from a to b. */
static uint64_t
distance(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
	uint64_t d[WORD_MOST + 1][WORD_MOST + 1];

	if (a_bytes > WORD_MOST || b_bytes > WORD_MOST)
		return WORD_MOST;
	for (unsigned i = 0; i <= a_bytes; i++)
		d[i][0] = i;
	for (unsigned j = 0; j <= b_bytes; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= a_bytes; i++) {
		for (size_t j = 1; j <= b_bytes; j++) {
			uint64_t replace = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			d[i][j] = smaller_of(replace, smaller_of(d[i - 1][j], d[i][j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d[i][j] = smaller_of(d[i][j], d[i - 2][j - 2] + 1);
		}
	}
	return d[a_bytes][b_bytes];
}

/* With more edits than this it is another word. */
static unsigned
tolerance(size_t bytes)
{
	return bytes < 4 ? 1 : (unsigned)bytes / 2;
}

/* The same word one level up or down: "hello_timeout" for "limits.hello_timeout". */
static bool
hint_elsewhere(char out[CONF_KEY], const struct conf_row *table, const char *word)
{
	for (const struct conf_row *row = table; row->kind != CONF_END; row++) {
		const char *dot = strrchr(row->key, '.');

		if (strcmp(dot ? dot + 1 : row->key, word) == 0) {
			snprintf(out, CONF_KEY, "%s", row->key);
			return true;
		}
	}
	return false;
}

bool
conf_hint_key(
    char out[CONF_KEY], const struct conf_row *table, const char *prefix, const char *word)
{
	uint64_t best = tolerance(strlen(word)) + 1;
	size_t skip = strlen(prefix);
	bool found = false;

	if (hint_elsewhere(out, table, word))
		return true;
	for (const struct conf_row *row = table; row->kind != CONF_END; row++) {
		const char *part = row->key + skip;
		uint64_t edits;

		if (strncmp(row->key, prefix, skip) != 0)
			continue;
		edits = distance(word, strlen(word), part, strcspn(part, "."));
		if (edits < best) {
			best = edits;
			found = true;
			snprintf(out, CONF_KEY, "%.*s", (int)strcspn(part, "."), part);
		}
	}
	return found;
}

const char *
conf_hint_word(const char *const *words, const char *word)
{
	uint64_t best = tolerance(strlen(word)) + 1;
	const char *found = NULL;

	for (; *words; words++) {
		uint64_t edits = distance(word, strlen(word), *words, strlen(*words));

		if (edits < best) {
			best = edits;
			found = *words;
		}
	}
	return found;
}
