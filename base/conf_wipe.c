/* Frees what was read, by the same table that it was read by. */
#include "base/conf.h"

#include <stdlib.h>
#include <string.h>

static void
wipe_texts(struct conf_texts *texts)
{
	for (size_t i = 0; i < texts->count; i++)
		free(texts->items[i]);
	free(texts->items);
	free(texts->marks);
	*texts = (struct conf_texts){ 0 };
}

static void
wipe_items(const struct conf_row *row, struct conf_items *items)
{
	for (size_t i = 0; i < items->count; i++)
		conf_wipe((char *)items->items + i * row->item_bytes, row->table);
	free(items->items);
	*items = (struct conf_items){ 0 };
}

static void
wipe_text(void *value)
{
	char *text;

	memcpy(&text, value, sizeof text);
	free(text);
	memset(value, 0, sizeof text);
}

void
conf_wipe(void *out, const struct conf_row *table)
{
	for (; table->kind != CONF_END; table++) {
		void *value = (char *)out + table->offset;

		if (table->kind == CONF_TEXT)
			wipe_text(value);
		else if (table->kind == CONF_TEXTS)
			wipe_texts(value);
		else if (table->kind == CONF_MAPPING)
			conf_wipe(value, table->table);
		else if (table->kind == CONF_MAPPINGS)
			wipe_items(table, value);
	}
}
