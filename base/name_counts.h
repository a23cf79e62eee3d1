/*
 * What each of many names has had: how many flows, how many of them were refused, and bytes each way; for
 * metrics that tell names apart.  Flows are counted when they are over.
 *
 * Shared by:     all names, and all workers under one lock, which is held shortly.
 * Bound:         NAME_COUNTS_MOST names.
 * Who leaves:    the name for which no flow has ended for the longest time; it begins anew from zero when
 *                it comes back.
 */
#ifndef BASE_NAME_COUNTS_H
#define BASE_NAME_COUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct name_counts;

enum { NAME_COUNTS_MOST = 1000 };

struct name_count {
	const char *name; /* borrowed for the call */
	uint64_t flows, refused, bytes_in, bytes_out;
};

/* NULL when memory is short. */
struct name_counts *name_counts_new(void);
void name_counts_free(struct name_counts *);
/* Adds the numbers of one flow.  Where memory is short for a new name, they are lost, and that
 * is told.  Any thread. */
void name_counts_add(struct name_counts *, const struct name_count *);
/* A copy of all, the names behind the entries in the same allocation; the caller's to free.  NULL when memory
 * is short. */
struct name_count *name_counts_copy(struct name_counts *, size_t *count);

#endif
