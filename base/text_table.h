/*
 * Rows of text in columns that are as wide as their widest cell, for people at a terminal.  Cells may
 * be hostile: what is not plain printable ASCII is escaped as in the log (base/log.h).
 *
 *	text_table_new --> text_table_add, the titles first --> text_table_print --> text_table_free
 */
#ifndef BASE_TEXT_TABLE_H
#define BASE_TEXT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct text_table;

enum { TEXT_TABLE_COLUMNS = 24, TEXT_TABLE_CELL = 256 };

/* It is for programs that do nothing else: where memory is short it aborts. */
struct text_table *text_table_new(unsigned columns);
void text_table_free(struct text_table *);
/* The next cell, row by row.  NULL and "" are shown as "-"; what is longer than TEXT_TABLE_CELL is cut. */
void text_table_add(struct text_table *, const char *cell);
/* Numbers stand at the right of their column; said once, for all of its cells. */
void text_table_align_right(struct text_table *, unsigned column);

/* How much of it is printed; 0: all. */
struct text_table_bounds {
	unsigned width; /* of a line */
	size_t lines;   /* with the titles, and with the one that says how many rows are left out */
};
/* A column in which no row below the titles has anything is left out, unless there are no rows. */
void text_table_print(const struct text_table *, const struct text_table_bounds *, FILE *);

#endif
