/*
 * How the documents of the admin socket are shown to people: a view says which members stand in which
 * columns.  A document is an object; its facts are lines of "title: value", and each of its sections is an
 * array of objects, shown as a table.
 *
 * Here are also what the commands do with a document before it is shown: its rows are sorted by a
 * column, and a row's rate is made of two looks at its counters.
 */
#ifndef BASE_ADMIN_VIEW_H
#define BASE_ADMIN_VIEW_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "base/text_table.h"

enum admin_format {
	ADMIN_TEXT,
	ADMIN_NUMBER,
	ADMIN_BYTES,
	ADMIN_RATE,  /* bytes a second */
	ADMIN_MS,    /* a duration of so many milliseconds */
	ADMIN_US,    /* one of microseconds, in milliseconds */
	ADMIN_COUNT, /* how many members an array has */
};

struct admin_column {
	const char *title;
	/* "a", "a.b" of an object in it, "a.0.b" of the first one in an array. */
	const char *member;
	enum admin_format format;
};

struct admin_section {
	const char *title;  /* NULL: the only one */
	const char *member; /* an array of objects, or NULL: the document itself is its facts */
	const struct admin_column *columns; /* ends with {0} */
};

struct admin_view {
	const char *command;                  /* whose answer it shows */
	const struct admin_section *sections; /* ends with {0} */
	/* Of the first section: what a row is called, and its two counters, from which its member "rate"
	 * comes; NULL: it has no rate. */
	const char *id, *counters[2];
	const char *age; /* for how many milliseconds a row has counted */
};

/* The one of this command, among those that {0} ends; NULL: there is none. */
const struct admin_view *admin_view_find(const struct admin_view *, const char *command);
/* Shows as much as the bounds let. */
void admin_view_print(
    const struct admin_view *, const json_t *document, const struct text_table_bounds *, FILE *);
/* Sorts the rows of the first section by the column with this member, numbers from the largest down; false:
 * there is no such column. */
bool admin_view_sort(const struct admin_view *, json_t *document, const char *member);
/* What each row had counted, by what it is called; NULL where memory is short, or the view has no rates. */
json_t *admin_view_counts(const struct admin_view *, const json_t *document);
/* Sets the rates, by what was counted so long ago. */
void admin_view_rate(
    const struct admin_view *, json_t *document, const json_t *counts, uint64_t elapsed_ms);

#endif
