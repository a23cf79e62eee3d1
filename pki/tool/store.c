/* The schema, and changes as transactions. */
#include "pki/tool/store.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "pki/spki_pin.h"
#include "pki/tool/outbox.h"
#include "pki/tool/message.h"

enum {
	BUSY_MS = 60000,
	APPLICATION = 0x56414c49, /* "VALI" */
	IMAGE_MOST = 1 << 30,
	JOURNAL_AT = 18, /* of the file's header: two octets that say 1, or 2 for WAL */
};

/* Step n makes version n + 1 of the schema out of version n. */
static const char *const migrations[STORE_VERSION] = {
	"CREATE TABLE ca(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, role TEXT NOT NULL,"
	"	parent INTEGER REFERENCES ca(id), key TEXT NOT NULL,"
	"	crl_number INTEGER NOT NULL DEFAULT 0, crl_this INTEGER NOT NULL DEFAULT 0,"
	"	crl_next INTEGER NOT NULL DEFAULT 0, crl_seconds INTEGER NOT NULL);"
	"CREATE TABLE certificate(id INTEGER PRIMARY KEY, issuer INTEGER NOT NULL REFERENCES "
	"ca(id),"
	"	serial BLOB NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, hosts TEXT NOT NULL,"
	"	not_before INTEGER NOT NULL, not_after INTEGER NOT NULL, current INTEGER NOT NULL,"
	"	key TEXT, revoked_at INTEGER, reason INTEGER, UNIQUE(issuer, serial));"
	"CREATE INDEX certificate_serial ON certificate(serial);"
	"CREATE INDEX certificate_name ON certificate(name, current);"
	"CREATE INDEX certificate_end ON certificate(not_after);"
	"CREATE INDEX certificate_revoked ON certificate(issuer, serial) WHERE revoked_at IS NOT "
	"NULL;"
	"CREATE TABLE body(certificate INTEGER PRIMARY KEY REFERENCES certificate(id), der BLOB "
	"NOT NULL);"
	"CREATE TABLE crl(ca INTEGER PRIMARY KEY REFERENCES ca(id), pem BLOB NOT NULL);"
	"CREATE TABLE permit(ca INTEGER NOT NULL REFERENCES ca(id), host TEXT NOT NULL,"
	"	PRIMARY KEY(ca, host)) WITHOUT ROWID;"
	"CREATE TABLE outbox(id INTEGER PRIMARY KEY, temp TEXT NOT NULL UNIQUE, path TEXT NOT "
	"NULL);",
	/* list, check and renewals of CAs walk over what is current, however much was replaced. */
	"CREATE INDEX certificate_current ON certificate(id) WHERE current = 1;",
	/* Enrolment: which key a certificate has, how long it was to live, which one came in its place,
	 * and when a host was given it.  An invitation is a certificate to be, for who knows the secret. */
	"ALTER TABLE certificate ADD COLUMN spki BLOB;"
	"ALTER TABLE certificate ADD COLUMN seconds INTEGER;"
	"ALTER TABLE certificate ADD COLUMN successor INTEGER REFERENCES certificate(id);"
	"ALTER TABLE certificate ADD COLUMN enrolled_at INTEGER;"
	"UPDATE certificate SET seconds = not_after - not_before - 3600,"
	"	spki = (SELECT spki_of(der) FROM body WHERE body.certificate = certificate.id);"
	"UPDATE certificate SET successor = (SELECT min(n.id) FROM certificate n"
	"	WHERE n.name = certificate.name AND n.id > certificate.id) WHERE current = 0;"
	"CREATE INDEX certificate_spki ON certificate(spki, name, kind, issuer, revoked_at);"
	"CREATE INDEX certificate_enrolled ON certificate(enrolled_at) WHERE enrolled_at IS NOT "
	"NULL;"
	"CREATE TABLE invitation(id INTEGER PRIMARY KEY, handle TEXT NOT NULL UNIQUE,"
	"	secret BLOB NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,"
	"	issuer INTEGER NOT NULL REFERENCES ca(id), grant_der BLOB, seconds INTEGER NOT "
	"NULL,"
	"	replaces INTEGER NOT NULL, former INTEGER REFERENCES certificate(id),"
	"	made_at INTEGER NOT NULL, ends_at INTEGER NOT NULL, withdrawn_at INTEGER,"
	"	used_at INTEGER, certificate INTEGER REFERENCES certificate(id));"
	"CREATE TABLE invitation_name(invitation INTEGER NOT NULL REFERENCES invitation(id),"
	"	type INTEGER NOT NULL, text TEXT NOT NULL, PRIMARY KEY(invitation, type, text));"
	"CREATE TABLE setting(word TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;",
};

static int
take_number(void *arg, sqlite3_stmt *row)
{
	*(int64_t *)arg = sqlite3_column_int64(row, 0);
	return 0;
}

/* SQL's spki_of(DER): the SHA-256 of the key in a certificate, NULL if it cannot be read. */
static void
give_spki(sqlite3_context *context, int count, sqlite3_value **values)
{
	struct der der = { sqlite3_value_blob(values[0]), (size_t)sqlite3_value_bytes(values[0]) };
	struct spki_pin pin;

	if (count == 1 && der.data && spki_pin_of(&pin, der))
		sqlite3_result_blob(context, pin.digest, sizeof pin.digest, SQLITE_TRANSIENT);
}

/* Inside a transaction; not store_begin(), whose outbox may not be there yet. */
static int
migrate_from(struct store *store, int64_t version)
{
	char pragma[96];
	int code = sqlite3_create_function(store->db, "spki_of", 1, SQLITE_UTF8, NULL, give_spki,
		       NULL, NULL) == SQLITE_OK
	    ? 0
	    : store_fail(store, "changing its schema");

	for (; version < STORE_VERSION && !code; version++)
		code = store_run(store, migrations[version], "changing its schema");
	snprintf(pragma, sizeof pragma, "PRAGMA user_version = %d; PRAGMA application_id = %d",
	    STORE_VERSION, APPLICATION);
	if (!code)
		code = store_run(store, pragma, "changing its schema");
	return code ? code : store_run(store, "COMMIT", "changing its schema");
}

static int
migrate(struct store *store)
{
	int64_t version = 0;
	int code = store_each(store, take_number, &version, "PRAGMA user_version", "");

	if (code || version == STORE_VERSION)
		return code;
	if (version > STORE_VERSION || version < 0)
		return message_fail(EX_DATAERR,
		    "%s/inventory.db has schema %lld, this program knows up to %d; use a newer "
		    "valise-pki",
		    store->dir, (long long)version, STORE_VERSION);
	code = store_run(store, "BEGIN IMMEDIATE", "changing its schema");
	if (!code) /* another process may have been quicker */
		code = store_each(store, take_number, &version, "PRAGMA user_version", "");
	return code ? code : migrate_from(store, version);
}

static int
open_database(struct store *store, int flags)
{
	char path[PATH_MAX];

	store_path(store, "inventory.db", path);
	if (sqlite3_open_v2(path, &store->db, flags | SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
		return store_fail(store, "opening it");
	sqlite3_extended_result_codes(store->db, 1);
	sqlite3_busy_timeout(store->db, BUSY_MS);
	return store_run(store,
	    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA "
	    "foreign_keys = ON;"
	    "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON",
	    "opening it");
}

static int
set_directory(struct store *store, const char *dir)
{
	size_t length = strlen(dir);

	while (length > 1 && dir[length - 1] == '/')
		length--;
	if (length == 0 || length >= sizeof store->dir)
		return message_fail(EX_USAGE,
		    "'%s' cannot be an authority's directory: its name is empty or too long", dir);
	memcpy(store->dir, dir, length);
	store->dir[length] = '\0';
	return 0;
}

static int
make_directories(struct store *store)
{
	static const struct {
		const char *path;
		mode_t mode;
	} directories[] = {
		{ "", 0755 },
		{ "private", 0700 },
		{ "tmp", 0700 },
		{ "cas", 0755 },
		{ "crls", 0755 },
		{ "issued", 0755 },
	};
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof directories / sizeof *directories; i++)
		if (mkdir(store_path(store, directories[i].path, path), directories[i].mode) < 0 &&
		    errno != EEXIST)
			return message_fail(EX_CANTCREAT, "%s: %s", path, strerror(errno));
	return 0;
}

int
store_create(struct store *store, const char *dir)
{
	mode_t mask;
	int code;

	if ((code = set_directory(store, dir)) || (code = make_directories(store)))
		return code;
	mask = umask(0077); /* the inventory names every customer: nobody else's business */
	code = open_database(store, SQLITE_OPEN_CREATE);
	if (!code)
		code = migrate(store);
	umask(mask);
	return code;
}

static int
find(struct store *store, const char *dir)
{
	int code = set_directory(store, dir);

	return code || store_has_file(store, "inventory.db")
	    ? code
	    : message_fail(EX_NOINPUT,
		  "%s: no authority there (no inventory.db); make one with `valise-pki init --ca "
		  "%s`",
		  store->dir, store->dir);
}

static int
open_found(struct store *store)
{
	int code = open_database(store, 0);

	if (!code)
		code = migrate(store);
	if (code || !outbox_waits(store))
		return code;
	code = store_begin(store);
	return code ? code : store_commit(store);
}

int
store_open(struct store *store, const char *dir)
{
	int code = find(store, dir);

	return code ? code : open_found(store);
}

static bool
may_write(const struct store *store, const char *path)
{
	char whole[PATH_MAX];

	return eaccess(store_path(store, path, whole), W_OK) == 0;
}

/* ---- where nothing can be written ---- */

/*
 * To read a database in WAL mode SQLite writes beside it, unless another process has it open and
 * has done so.  Where nobody has, all of it is read into memory: it is the state of one moment if
 * the file was the same before and after, since it only changes while there is a WAL.
 */
static int
read_image(struct store *store)
{
	char path[PATH_MAX], error[FILE_ERROR];
	struct file_stamp before = file_stamp_of(store_path(store, "inventory.db", path)), after;

	if (!file_read(&store->image, path, IMAGE_MOST, error))
		return message_fail(EX_NOINPUT, "%s", error);
	after = file_stamp_of(path);
	if (!file_stamp_equals(&before, &after) || store_has_file(store, "inventory.db-wal"))
		return message_fail(
		    EX_TEMPFAIL, "%s: another process is changing it; try again", path);
	if (store->image.bytes > JOURNAL_AT + 1) /* in memory there is no WAL */
		memset(store->image.data + JOURNAL_AT, 1, 2);
	return 0;
}

static int
open_image(struct store *store)
{
	int code = read_image(store);

	if (code)
		return code;
	return sqlite3_open_v2(":memory:", &store->db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
		sqlite3_deserialize(store->db, "main", store->image.data,
		    (sqlite3_int64)store->image.bytes, (sqlite3_int64)store->image.bytes,
		    SQLITE_DESERIALIZE_READONLY) == SQLITE_OK
	    ? 0
	    : store_fail(store, "opening it");
}

static int
open_shared(struct store *store)
{
	char path[PATH_MAX];

	if (!store_has_file(store, "inventory.db-shm"))
		return message_fail(EX_CANTCREAT,
		    "%s/inventory.db-wal has changes that can be read only where something can be "
		    "written; run `valise-pki list` there first",
		    store->dir);
	return sqlite3_open_v2(store_path(store, "inventory.db", path), &store->db,
		   SQLITE_OPEN_READONLY, NULL) == SQLITE_OK
	    ? 0
	    : store_fail(store, "opening it");
}

static int
refuse_other_schema(struct store *store)
{
	int64_t version = 0;
	int code = store_each(store, take_number, &version, "PRAGMA user_version", "");

	return code || version == STORE_VERSION
	    ? code
	    : message_fail(EX_DATAERR,
		  "%s/inventory.db has schema %lld, this program reads %d, and cannot change it as "
		  "nothing can be written there",
		  store->dir, (long long)version, STORE_VERSION);
}

int
store_open_to_read(struct store *store, const char *dir)
{
	int code = find(store, dir);

	if (code)
		return code;
	if (may_write(store, "") && may_write(store, "inventory.db"))
		return open_found(store);
	store->read_only = true;
	code = store_has_file(store, "inventory.db-wal") ? open_shared(store) : open_image(store);
	if (code)
		return code;
	sqlite3_extended_result_codes(store->db, 1);
	sqlite3_busy_timeout(store->db, BUSY_MS);
	code = store_run(
	    store, "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON", "opening it");
	return code ? code : refuse_other_schema(store);
}

void
store_close(struct store *store)
{
	store_rollback(store);
	sqlite3_close(store->db);
	store->db = NULL;
	secret_wipe(&store->image);
}

void
store_rollback(struct store *store)
{
	if (!store->changing)
		return;
	outbox_forget(store);
	sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	store->changing = false;
}

int
store_begin(struct store *store)
{
	int code = store_run(store, "BEGIN IMMEDIATE", "starting a change");

	if (code)
		return code;
	store->changing = true;
	return outbox_recover(store);
}

int
store_begin_to_read(struct store *store)
{
	return store->read_only ? store_run(store, "BEGIN", "reading it") : store_begin(store);
}

int
store_commit(struct store *store)
{
	int code = outbox_seal(store);

	if (!code)
		code = store_run(store, "COMMIT", "committing a change");
	if (code)
		return code;
	store->changing = false;
	return outbox_deliver(store);
}

int
store_put(struct store *store, const char *path, mode_t mode, const void *data, size_t bytes)
{
	return outbox_put(store, path, mode, data, bytes);
}
