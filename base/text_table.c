/* Cells are kept until the widths are known. */
#include "base/text_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum { GAP = 2, LINE = TEXT_TABLE_COLUMNS * (TEXT_TABLE_CELL + GAP) };

struct text_table {
	unsigned columns;
	bool is_right[TEXT_TABLE_COLUMNS];
	unsigned widths[TEXT_TABLE_COLUMNS];
	bool is_filled[TEXT_TABLE_COLUMNS]; /* below the title */
	char **cells;
	size_t count, room;
};

static void *
or_abort(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

struct text_table *
text_table_new(unsigned columns)
{
	struct text_table *table = or_abort(calloc(1, sizeof *table));

	table->columns = columns < TEXT_TABLE_COLUMNS ? columns : TEXT_TABLE_COLUMNS;
	return table;
}

void
text_table_free(struct text_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->count; i++)
		free(table->cells[i]);
	free(table->cells);
	free(table);
}

void
text_table_align_right(struct text_table *table, unsigned column)
{
	table->is_right[column] = true;
}

void
text_table_add(struct text_table *table, const char *text)
{
	unsigned column = (unsigned)(table->count % table->columns), width;
	char cell[TEXT_TABLE_CELL] = "-";

	if (table->count == table->room) {
		table->room = table->room ? 2 * table->room : 64;
		table->cells =
		    or_abort(reallocarray(table->cells, table->room, sizeof *table->cells));
	}
	if (text && *text) {
		log_quote(cell, sizeof cell, text, (unsigned)strnlen(text, TEXT_TABLE_CELL));
		table->is_filled[column] |= table->count >= table->columns;
	}
	width = (unsigned)strlen(cell);
	if (width > table->widths[column])
		table->widths[column] = width;
	table->cells[table->count++] = or_abort(strdup(cell));
}

/* Without spaces at its end. */
static void
print_row(const struct text_table *table, size_t row, unsigned most, FILE *out)
{
	char line[LINE];
	size_t at = 0;

	for (unsigned i = 0; i < table->columns; i++) {
		int width = (int)table->widths[i];

		if (!table->is_filled[i] && table->count > table->columns)
			continue;
		at += (size_t)snprintf(line + at, sizeof line - at, "%*s%*s", at > 0 ? GAP : 0, "",
		    table->is_right[i] ? width : -width, table->cells[row * table->columns + i]);
	}
	if (most > 0 && at > most)
		at = most;
	while (at > 0 && line[at - 1] == ' ')
		at--;
	fprintf(out, "%.*s\n", (int)at, line);
}

void
text_table_print(const struct text_table *table, const struct text_table_bounds *bounds, FILE *out)
{
	size_t rows = table->count / table->columns, shown = rows;

	if (bounds->lines > 0 && rows > bounds->lines)
		shown = bounds->lines > 2 ? bounds->lines - 1 : 1;
	for (size_t row = 0; row < shown; row++)
		print_row(table, row, bounds->width, out);
	if (shown < rows)
		fprintf(out, "... and %zu more\n", rows - shown);
}
