/*
 * The authority's directory and its inventory in SQLite (WAL).
 *
 * Every change is one transaction, begun with store_begin(), which waits for
 * other processes.  Files that belong to a change are written to tmp/ and
 * entered in the inventory's outbox by store_put(); store_commit() makes all of
 * it true at once and then renames the files into place in the order in which
 * they were put.  Who dies between the two leaves the renames to the next one
 * who opens the directory.  So a file is whole or not there, a key is there
 * before its certificate, and inventory and files agree.
 */
#ifndef PKI_TOOL_STORE_H
#define PKI_TOOL_STORE_H

#include <sys/types.h>

#include "pki/tool/store_statement.h"

enum { STORE_VERSION = 3 }; /* of the schema: PRAGMA user_version */

/* Makes what is missing of DIR and an empty inventory, or opens one that nothing was
 * written to yet. */
int store_create(struct store *, const char *dir);
/* Opens what is there, migrates an older schema, finishes the renames of who died. */
int store_open(struct store *, const char *dir);
/* The same for a command that only looks: where the directory cannot be written, nothing is migrated,
 * finished or locked, and what is read is the state of one moment. */
int store_open_to_read(struct store *, const char *dir);
/* Rolls back what was not committed. */
void store_close(struct store *);

int store_begin(struct store *);
/* For who looks at rows and files together: no change is made meanwhile, if any can be. */
int store_begin_to_read(struct store *);
/* path is relative to the directory. The bytes reach the disk before this returns, the
 * name at commit. */
int store_put(struct store *, const char *path, mode_t, const void *data, size_t bytes);
int store_commit(struct store *);
/* For who goes on with the store after a change that is not to be: nothing of it stays.  Harmless
 * outside of a change. */
void store_rollback(struct store *);

#endif
