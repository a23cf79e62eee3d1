/*
 * The inventory as SQL sees it: statements, and the paths of the files beside it.  Opening
 * it and changing it is store.h's part.
 */
#ifndef PKI_TOOL_STORE_STATEMENT_H
#define PKI_TOOL_STORE_STATEMENT_H

#include <limits.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/secret.h"

struct store {
	char dir[PATH_MAX - 128];
	sqlite3 *db;
	bool changing;       /* inside a transaction */
	bool read_only;      /* nothing can be written there */
	struct secret image; /* then perhaps the whole inventory, which db reads */
};

/*
 * One statement.  `types` says what follows: i int64_t, t text or NULL, b data
 * and size_t.  store_each() calls `row` for each row; when that returns not 0 it
 * stops and returns that.
 */
int store_do(struct store *, const char *sql, const char *types, ...);
int store_each(struct store *, int (*row)(void *arg, sqlite3_stmt *), void *arg, const char *sql,
    const char *types, ...);
int store_each_list(struct store *, int (*row)(void *arg, sqlite3_stmt *), void *arg,
    const char *sql, const char *types, va_list);

/* A column of the row at hand; NULL becomes "", and what does not fit is cut. */
void store_text(sqlite3_stmt *row, int column, char *out, size_t out_size);

/* DIR/path; `out` has PATH_MAX bytes. */
const char *store_path(const struct store *, const char *path, char *out);
bool store_has_file(const struct store *, const char *path);

/* A statement without values and rows; a message says what was being done if it fails. */
int store_run(struct store *, const char *sql, const char *doing);
/* The message for what SQLite has just refused. */
int store_fail(struct store *, const char *doing);

#endif
