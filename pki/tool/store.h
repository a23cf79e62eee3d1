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

#include <limits.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { STORE_VERSION = 2 };	/* of the schema: PRAGMA user_version */

struct store {
	char dir[PATH_MAX - 128];
	sqlite3 *db;
	bool changing;		/* inside a transaction */
};

/* Makes what is missing of DIR and an empty inventory, or opens one that nothing was
 * written to yet. */
int store_create(struct store *, const char *dir);
/* Opens what is there, migrates an older schema, finishes the renames of who died. */
int store_open(struct store *, const char *dir);
/* Rolls back what was not committed. */
void store_close(struct store *);

int store_begin(struct store *);
/* path is relative to the directory. The bytes reach the disk before this returns, the
 * name at commit. */
int store_put(struct store *, const char *path, mode_t, const void *data, size_t bytes);
int store_commit(struct store *);

/*
 * One statement.  `types` says what follows: i int64_t, t text or NULL, b data
 * and size_t.  store_each() calls `row` for each row; when that returns not 0 it
 * stops and returns that.
 */
int store_do(struct store *, const char *sql, const char *types, ...);
int store_each(struct store *, int (*row)(void *arg, sqlite3_stmt *), void *arg,
    const char *sql, const char *types, ...);
int store_each_list(struct store *, int (*row)(void *arg, sqlite3_stmt *), void *arg,
    const char *sql, const char *types, va_list);

/* A column of the row at hand; NULL becomes "", and what does not fit is cut. */
void store_text(sqlite3_stmt *row, int column, char *out, size_t out_size);

/* DIR/path; `out` has PATH_MAX bytes. */
const char *store_path(const struct store *, const char *path, char *out);
bool store_has_file(const struct store *, const char *path);

#endif
