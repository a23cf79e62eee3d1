/*
 * The files of a change, between their writing and their renaming; store.h explains both.
 * Only store.c calls these functions.
 */
#ifndef PKI_TOOL_OUTBOX_H
#define PKI_TOOL_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct store;

int outbox_put(struct store *, const char *path, mode_t, const void *data, size_t bytes);
/* Before the commit: the names in tmp/ reach the disk. */
int outbox_seal(struct store *);
/* Renames what a committed change left; in the same order it was put. Safe to do twice
 * and by two at once. */
int outbox_deliver(struct store *);
/* Inside a new change: finishes the last one, forgets it, and removes what an
 * uncommitted one left in tmp/. */
int outbox_recover(struct store *);
/* Whether a committed change has files left in tmp/. */
bool outbox_waits(struct store *);
/* Removes the temporary files of a change that is not going to be committed. */
void outbox_forget(struct store *);

#endif
