/* SQLite, behind a function for each kind of statement. */
#include "pki/tool/store_statement.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pki/tool/message.h"

int
store_fail(struct store *store, const char *doing)
{
	int code = sqlite3_errcode(store->db) & 0xff;
	const char *why = sqlite3_errmsg(store->db);

	if (code == SQLITE_BUSY)
		return message_fail(EX_TEMPFAIL,
		    "%s/inventory.db: another process has held it for a minute; try again",
		    store->dir);
	if (code == SQLITE_FULL || code == SQLITE_IOERR)
		return message_fail(EX_CANTCREAT,
		    "%s/inventory.db: %s while %s: %s; nothing was changed, "
		    "make room and try again",
		    store->dir, why, doing, strerror(errno));
	if (code == SQLITE_READONLY || code == SQLITE_CANTOPEN)
		return message_fail(
		    EX_CANTCREAT, "%s/inventory.db: %s while %s", store->dir, why, doing);
	if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
		return message_fail(
		    EX_DATAERR, "%s/inventory.db: %s; restore a backup", store->dir, why);
	return message_fail(EX_SOFTWARE, "%s/inventory.db: %s while %s", store->dir, why, doing);
}

int
store_run(struct store *store, const char *sql, const char *doing)
{
	return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK
	    ? 0
	    : store_fail(store, doing);
}

static int
bind(sqlite3_stmt *statement, const char *types, va_list values)
{
	int problem = SQLITE_OK;

	for (int i = 1; *types && problem == SQLITE_OK; types++, i++) {
		if (*types == 'i') {
			problem = sqlite3_bind_int64(statement, i, va_arg(values, int64_t));
		} else if (*types == 't') {
			problem = sqlite3_bind_text(
			    statement, i, va_arg(values, const char *), -1, SQLITE_STATIC);
		} else {
			const void *data = va_arg(values, const void *);

			problem = sqlite3_bind_blob64(
			    statement, i, data, va_arg(values, size_t), SQLITE_STATIC);
		}
	}
	return problem;
}

int
store_each_list(struct store *store, int (*row)(void *, sqlite3_stmt *), void *arg, const char *sql,
    const char *types, va_list values)
{
	sqlite3_stmt *statement = NULL;
	int step = SQLITE_OK, code = 0;

	if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) != SQLITE_OK ||
	    bind(statement, types, values) != SQLITE_OK)
		code = store_fail(store, "reading it");
	while (code == 0 && (step = sqlite3_step(statement)) == SQLITE_ROW)
		code = row ? row(arg, statement) : 0;
	if (code == 0 && step != SQLITE_DONE)
		code = store_fail(store, "using it");
	sqlite3_finalize(statement);
	return code;
}

int
store_each(struct store *store, int (*row)(void *, sqlite3_stmt *), void *arg, const char *sql,
    const char *types, ...)
{
	va_list values;
	int code;

	va_start(values, types);
	code = store_each_list(store, row, arg, sql, types, values);
	va_end(values);
	return code;
}

int
store_do(struct store *store, const char *sql, const char *types, ...)
{
	va_list values;
	int code;

	va_start(values, types);
	code = store_each_list(store, NULL, NULL, sql, types, values);
	va_end(values);
	return code;
}

void
store_text(sqlite3_stmt *row, int column, char *out, size_t out_size)
{
	const unsigned char *text = sqlite3_column_text(row, column);

	snprintf(out, out_size, "%s", text ? (const char *)text : "");
}

const char *
store_path(const struct store *store, const char *path, char *out)
{
	snprintf(out, PATH_MAX, "%s%s%s", store->dir, *path ? "/" : "", path);
	return out;
}

bool
store_has_file(const struct store *store, const char *path)
{
	char whole[PATH_MAX];

	return access(store_path(store, path, whole), F_OK) == 0;
}
