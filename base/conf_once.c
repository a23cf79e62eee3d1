/* Each text is noted in a table, so that a list of n takes n look-ups and not n * n comparisons. */
#include "base/conf_once.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

struct noted {
	struct hash_link link;
	const void *key;
	size_t bytes;
	struct conf_mark mark;
};

struct conf_once {
	struct table table;
	size_t count;
	struct noted noted[];
};

struct conf_once *
conf_once_new(size_t most)
{
	struct conf_once *once = calloc(1, sizeof *once + most * sizeof once->noted[0]);

	if (once && table_init(&once->table))
		return once;
	free(once);
	return NULL;
}

void
conf_once_free(struct conf_once *once)
{
	if (once)
		table_wipe(&once->table);
	free(once);
}

static bool
has_key(const struct hash_link *at, const void *wanted)
{
	const struct noted *noted = container_of(at, const struct noted, link), *key = wanted;

	return noted->bytes == key->bytes && memcmp(noted->key, key->key, key->bytes) == 0;
}

struct conf_mark
conf_once_note_bytes(struct conf_once *once, const void *key, size_t bytes, struct conf_mark mark)
{
	const struct noted wanted = { .key = key, .bytes = bytes };
	uint64_t hash = table_hash(&once->table, key, bytes);
	struct hash_link *at = table_find(&once->table, hash, has_key, &wanted);
	struct noted *noted;

	if (at)
		return container_of(at, const struct noted, link)->mark;
	noted = &once->noted[once->count++];
	noted->key = key;
	noted->bytes = bytes;
	noted->mark = mark;
	table_add(&once->table, &noted->link, hash);
	return (struct conf_mark){ 0 };
}

struct conf_mark
conf_once_note(struct conf_once *once, const char *text, struct conf_mark mark)
{
	return conf_once_note_bytes(once, text, strlen(text), mark);
}
