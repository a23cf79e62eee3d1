/* Rows of CAs to values and back. */
#include "pki/tool/ca.h"

#include <stdio.h>
#include <string.h>

#include "pki/tool/message.h"

static const char ca_columns[] =
    "SELECT id, parent, name, role, key, crl_number, crl_this, crl_next, crl_seconds FROM ca ";

static void
take_ca(sqlite3_stmt *row, struct ca *ca)
{
	ca->id = sqlite3_column_int64(row, 0);
	ca->parent = sqlite3_column_int64(row, 1);
	store_text(row, 2, ca->name, sizeof ca->name);
	store_text(row, 3, ca->role, sizeof ca->role);
	store_text(row, 4, ca->key, sizeof ca->key);
	ca->crl_number = sqlite3_column_int64(row, 5);
	ca->crl_this = sqlite3_column_int64(row, 6);
	ca->crl_next = sqlite3_column_int64(row, 7);
	ca->crl_seconds = sqlite3_column_int64(row, 8);
}

static int
take_one_ca(void *arg, sqlite3_stmt *row)
{
	take_ca(row, arg);
	return 0;
}

static int
join_name(void *arg, sqlite3_stmt *row)
{
	char *list = arg;
	size_t used = strlen(list);

	snprintf(list + used, 512 - used, "%s%s", used ? ", " : "",
	    (const char *)sqlite3_column_text(row, 0));
	return 0;
}

int
ca_find(struct store *store, const char *name, struct ca *ca)
{
	char sql[256], list[512] = "";
	int code;

	*ca = (struct ca){ 0 };
	snprintf(sql, sizeof sql, "%s WHERE name = ?", ca_columns);
	code = store_each(store, take_one_ca, ca, sql, "t", name);
	if (code || ca->id)
		return code;
	code = store_each(store, join_name, list, "SELECT name FROM ca ORDER BY id LIMIT 20", "");
	return code ? code
		    : message_fail(EX_NOINPUT, "'%s': no such CA here; there are: %s", name,
			  *list ? list : "none");
}

int
ca_by_id(struct store *store, int64_t id, struct ca *ca)
{
	char sql[256];
	int code;

	*ca = (struct ca){ 0 };
	snprintf(sql, sizeof sql, "%s WHERE id = ?", ca_columns);
	code = store_each(store, take_one_ca, ca, sql, "i", id);
	return code || ca->id
	    ? code
	    : message_fail(EX_DATAERR, "the inventory has lost a CA; restore a backup");
}

struct ca_each_call {
	int (*each)(void *, const struct ca *);
	void *arg;
};

static int
call_with_ca(void *arg, sqlite3_stmt *row)
{
	const struct ca_each_call *call = arg;
	struct ca ca;

	take_ca(row, &ca);
	return call->each(call->arg, &ca);
}

int
ca_each(struct store *store, int (*each)(void *, const struct ca *), void *arg)
{
	char sql[256];

	snprintf(sql, sizeof sql, "%s ORDER BY id", ca_columns);
	return store_each(store, call_with_ca, &(struct ca_each_call){ each, arg }, sql, "");
}

int
ca_add(struct store *store, struct ca *ca)
{
	int code = store_do(store,
	    "INSERT INTO ca(name, role, parent, key, crl_seconds) VALUES(?, ?, NULL, ?, ?)", "ttti",
	    ca->name, ca->role, ca->key, ca->crl_seconds);

	if (code)
		return code;
	ca->id = sqlite3_last_insert_rowid(store->db);
	if (!ca->parent)
		ca->parent = ca->id;
	return store_do(store, "UPDATE ca SET parent = ? WHERE id = ?", "ii", ca->parent, ca->id);
}
