/* Values are compared by digests, so that one walk over a table is all that knows their kinds. */
#include "base/conf_changes.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "base/hash.h"

enum { WHAT_TEXT = 320 };

/* ---- digests ---- */

static void
mix(uint64_t *digest, const void *data, size_t bytes)
{
	const uint64_t lengths[2] = { *digest, bytes };
	uint8_t key[16];

	memcpy(key, lengths, sizeof key);
	*digest = hash_bytes(key, data, bytes);
}

static void
mix_text(uint64_t *digest, const char *text)
{
	/* An empty text is another value than none. */
	mix(digest, text ? text : "", text ? strlen(text) + 1 : 0);
}

static void mix_values(uint64_t *digest, const struct conf_row *table, const void *values);

static void
mix_texts(uint64_t *digest, const struct conf_texts *texts)
{
	mix(digest, &texts->count, sizeof texts->count);
	for (size_t i = 0; i < texts->count; i++)
		mix_text(digest, texts->items[i]);
}

static const void *
item_at(const struct conf_row *row, const struct conf_items *items, size_t index)
{
	return (const char *)items->items + index * row->item_bytes;
}

static void
mix_items(uint64_t *digest, const struct conf_row *row, const struct conf_items *items)
{
	mix(digest, &items->count, sizeof items->count);
	for (size_t i = 0; i < items->count; i++)
		mix_values(digest, row->table, item_at(row, items, i));
}

static void
mix_value(uint64_t *digest, const struct conf_row *row, const void *value)
{
	switch (row->kind) {
	case CONF_TEXT:
		mix_text(digest, *(char *const *)value);
		break;
	case CONF_NUMBER:
	case CONF_DURATION:
	case CONF_SIZE:
		mix(digest, value, sizeof(uint64_t));
		break;
	case CONF_BOOL:
		mix(digest, value, sizeof(bool));
		break;
	case CONF_WORD:
		mix(digest, value, sizeof(int));
		break;
	case CONF_TEXTS:
		mix_texts(digest, value);
		break;
	case CONF_MAPPING:
		mix_values(digest, row->table, value);
		break;
	case CONF_MAPPINGS:
		mix_items(digest, row, value);
		break;
	case CONF_END:
		break;
	}
}

static const void *
value_of(const struct conf_row *row, const void *values)
{
	return (const char *)values + row->offset;
}

static void
mix_values(uint64_t *digest, const struct conf_row *table, const void *values)
{
	for (; table->kind != CONF_END; table++)
		mix_value(digest, table, value_of(table, values));
}

uint64_t
conf_digest(const struct conf_row *table, const void *values)
{
	uint64_t digest = 0;

	mix_values(&digest, table, values);
	return digest;
}

static bool
is_alike(const struct conf_row *row, const void *before, const void *after)
{
	uint64_t old = 0, new = 0;

	mix_value(&old, row, value_of(row, before));
	mix_value(&new, row, value_of(row, after));
	return old == new;
}

/* ---- the line ---- */

static bool
has(const struct conf_changes *changes, const char *what)
{
	size_t bytes = strlen(what);

	for (const char *at = changes->text; (at = strstr(at, what)); at += bytes)
		if ((at == changes->text || (at[-1] == ' ' && at[-2] == ',')) &&
		    (at[bytes] == '\0' || at[bytes] == ','))
			return true;
	return false;
}

void
conf_changes_add(struct conf_changes *changes, const char *what)
{
	size_t used = strlen(changes->text), bytes = strlen(what);
	bool fits = changes->more == 0 && used + 2 + bytes < sizeof changes->text;

	if (has(changes, what))
		return;
	if (fits)
		snprintf(changes->text + used, sizeof changes->text - used, "%s%s",
		    used > 0 ? ", " : "", what);
	else
		changes->more++;
}

const char *
conf_changes_text(const struct conf_changes *changes, char out[CONF_CHANGES_TEXT])
{
	if (changes->more > 0)
		snprintf(out, CONF_CHANGES_TEXT, "%s and %u more", changes->text, changes->more);
	else
		snprintf(out, CONF_CHANGES_TEXT, "%s",
		    changes->text[0] != '\0' ? changes->text : "nothing");
	return out;
}

/* ---- items ---- */

static const char *
name_of(const struct conf_row *row, const struct conf_items *items, size_t index)
{
	const struct conf_row *name = row->table;
	const char *text;

	while (name->kind != CONF_END && !(name->kind == CONF_TEXT && name->required))
		name++;
	text = name->kind == CONF_END ? NULL
				      : *(char *const *)value_of(name, item_at(row, items, index));
	return text ? text : "?";
}

/* The key is a plural, as of most lists. */
static void
add_item(
    struct conf_changes *changes, const struct conf_row *row, const char *name, const char *how)
{
	size_t length = strlen(row->key);
	char what[WHAT_TEXT];

	if (row->key[length - 1] == 's')
		length--;
	snprintf(what, sizeof what, "%.*s %.200s%s", (int)length, row->key, name, how);
	conf_changes_add(changes, what);
}

/* An item as it was before, by its name. */
struct old_item {
	struct hash_link link;
	const char *name;
	const void *values;
	bool is_there; /* now, too */
};

static bool
has_name(const struct hash_link *at, const void *name)
{
	return strcmp(container_of(at, const struct old_item, link)->name, name) == 0;
}

static struct old_item *
find_old(const struct table *table, const char *name)
{
	struct hash_link *at =
	    table_find(table, table_hash(table, name, strlen(name)), has_name, name);

	return at ? container_of(at, struct old_item, link) : NULL;
}

/* Of several with one name the first counts. */
static void
note_old(struct table *table, struct old_item *old, const struct conf_row *row,
    const struct conf_items *before)
{
	for (size_t i = 0; i < before->count; i++) {
		old[i].name = name_of(row, before, i);
		old[i].values = item_at(row, before, i);
		if (!find_old(table, old[i].name))
			table_add(table, &old[i].link,
			    table_hash(table, old[i].name, strlen(old[i].name)));
	}
}

static void
compare_items(struct conf_changes *changes, const struct conf_row *row, const struct table *table,
    const struct conf_items *after)
{
	for (size_t i = 0; i < after->count; i++) {
		const char *name = name_of(row, after, i);
		struct old_item *old = find_old(table, name);

		if (!old)
			add_item(changes, row, name, " (new)");
		else if (conf_digest(row->table, old->values) !=
		    conf_digest(row->table, item_at(row, after, i)))
			add_item(changes, row, name, "");
		if (old)
			old->is_there = true;
	}
}

/* When memory is short only the key is told. */
static void
find_items(struct conf_changes *changes, const struct conf_row *row,
    const struct conf_items *before, const struct conf_items *after)
{
	struct old_item *old = calloc(before->count + 1, sizeof *old);
	struct table table = { 0 };

	if (old && table_init(&table)) {
		note_old(&table, old, row, before);
		compare_items(changes, row, &table, after);
		for (size_t i = 0; i < before->count; i++)
			if (!find_old(&table, old[i].name)->is_there)
				add_item(changes, row, old[i].name, " (gone)");
	} else {
		conf_changes_add(changes, row->key);
	}
	table_wipe(&table);
	free(old);
}

void
conf_changes_find(struct conf_changes *changes, const struct conf_row *table, const void *before,
    const void *after)
{
	for (; table->kind != CONF_END; table++) {
		if (table->kind == CONF_MAPPINGS)
			find_items(changes, table, value_of(table, before), value_of(table, after));
		else if (!is_alike(table, before, after))
			conf_changes_add(changes, table->key);
	}
}
