/* Rows of certificates to values and back. */
#include "pki/tool/record.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "pki/x509.h"
#include "pki/tool/message.h"

static const char record_columns[] =
    "SELECT id, issuer, serial, name, kind, hosts, key, not_before, not_after, revoked_at, "
    "reason, current, seconds, spki, successor "
    "FROM certificate ";

static void
take_record(sqlite3_stmt *row, struct record *record)
{
	const void *serial = sqlite3_column_blob(row, 2);
	size_t bytes = (size_t)sqlite3_column_bytes(row, 2);

	record->id = sqlite3_column_int64(row, 0);
	record->issuer = sqlite3_column_int64(row, 1);
	record->serial_bytes = bytes <= sizeof record->serial && serial ? bytes : 0;
	if (record->serial_bytes)
		memcpy(record->serial, serial, bytes);
	store_text(row, 3, record->name, sizeof record->name);
	store_text(row, 4, record->kind, sizeof record->kind);
	store_text(row, 5, record->hosts, sizeof record->hosts);
	store_text(row, 6, record->key, sizeof record->key);
	record->not_before = sqlite3_column_int64(row, 7);
	record->not_after = sqlite3_column_int64(row, 8);
	record->revoked_at = sqlite3_column_int64(row, 9);
	record->reason = sqlite3_column_int(row, 10);
	record->current = sqlite3_column_int(row, 11) != 0;
	record->seconds = sqlite3_column_int64(row, 12);
	record->successor = sqlite3_column_int64(row, 14);
	bytes = (size_t)sqlite3_column_bytes(row, 13);
	if (bytes == sizeof record->key_pin.digest)
		memcpy(record->key_pin.digest, sqlite3_column_blob(row, 13), bytes);
	else
		record->key_pin = (struct spki_pin){ 0 };
}

struct record_each_call {
	int (*each)(void *, const struct record *);
	void *arg;
};

static int
call_with_record(void *arg, sqlite3_stmt *row)
{
	const struct record_each_call *call = arg;
	struct record record;

	take_record(row, &record);
	return call->each(call->arg, &record);
}

static int
take_one_record(void *arg, sqlite3_stmt *row)
{
	take_record(row, arg);
	return 0;
}

int
record_each(struct store *store, int (*each)(void *, const struct record *), void *arg,
    const char *rest, const char *types, ...)
{
	struct record_each_call call = { each, arg };
	char sql[1024];
	va_list values;
	int code;

	snprintf(sql, sizeof sql, "%s%s", record_columns, rest);
	va_start(values, types);
	code = store_each_list(store, call_with_record, &call, sql, types, values);
	va_end(values);
	return code;
}

static int
insert(struct store *store, const struct record *record)
{
	return store_do(store,
	    "INSERT INTO certificate(issuer, serial, name, kind, hosts, key, not_before, "
	    "not_after, current, seconds, spki) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	    "ibttttiiiib", record->issuer, record->serial, record->serial_bytes, record->name,
	    record->kind, record->hosts, *record->key ? record->key : NULL, record->not_before,
	    record->not_after, (int64_t)record->current, record->seconds, record->key_pin.digest,
	    sizeof record->key_pin.digest);
}

int
record_add(struct store *store, struct record *record, const gnutls_datum_t *der)
{
	int code = spki_pin_of(&record->key_pin, (struct der){ der->data, der->size })
	    ? insert(store, record)
	    : message_fail(
		  EX_SOFTWARE, "the certificate for '%s' cannot be read back", record->name);

	if (code)
		return code;
	record->id = sqlite3_last_insert_rowid(store->db);
	if (record->current)
		code = store_do(store,
		    "UPDATE certificate SET current = 0, successor = ? "
		    "WHERE name = ? AND current = 1 AND id != ?",
		    "iti", record->id, record->name, record->id);
	if (code)
		return code;
	return store_do(store, "INSERT INTO body(certificate, der) VALUES(?, ?)", "ib", record->id,
	    der->data, (size_t)der->size);
}

int
record_look_up(struct store *store, const char *name, struct record *record, bool *found)
{
	char sql[512];
	int code;

	*record = (struct record){ 0 };
	snprintf(sql, sizeof sql, "%sWHERE name = ? AND current = 1", record_columns);
	code = store_each(store, take_one_record, record, sql, "t", name);
	*found = record->id != 0;
	return code;
}

int
record_by_id(struct store *store, int64_t id, struct record *record)
{
	char sql[512];
	int code;

	*record = (struct record){ 0 };
	snprintf(sql, sizeof sql, "%sWHERE id = ?", record_columns);
	code = store_each(store, take_one_record, record, sql, "i", id);
	return code || record->id
	    ? code
	    : message_fail(EX_DATAERR, "the inventory has lost a certificate; restore a backup");
}

/* Others may have a serial number that is one of ours, so all octets are compared. */
int
record_of_der(struct store *store, struct der certificate, struct record *record, bool *found)
{
	struct x509 facts;
	const char *why;
	char sql[512];
	int code;

	*record = (struct record){ 0 };
	*found = false;
	if (!x509_parse(&facts, certificate, &why))
		return 0;
	snprintf(sql, sizeof sql,
	    "%sWHERE serial = ? AND EXISTS(SELECT 1 FROM body WHERE certificate = id AND der = ?)",
	    record_columns);
	code = store_each(store, take_one_record, record, sql, "bb", facts.serial.data,
	    (size_t)facts.serial.bytes, certificate.data, certificate.bytes);
	*found = record->id != 0;
	return code;
}

/* "0A:1b2c" to bytes; 0 if it is not a serial number. */
static size_t
read_serial(const char *text, uint8_t out[21])
{
	char digits[SERIAL_HEX] = "";
	size_t used = 0;

	for (; *text; text++) {
		if (*text == ':')
			continue;
		if (!isxdigit((unsigned char)*text) || used + 1 >= sizeof digits)
			return 0;
		digits[used++] = *text;
	}
	return used && used % 2 == 0 && hex_decode(out, used / 2, digits) ? used / 2 : 0;
}

int
record_find(struct store *store, const char *name_or_serial, struct record *record)
{
	uint8_t serial[21];
	size_t bytes = read_serial(name_or_serial, serial);
	char sql[512];
	bool found;
	int code = record_look_up(store, name_or_serial, record, &found);

	if (!code && !found && bytes) {
		snprintf(sql, sizeof sql, "%sWHERE serial = ?", record_columns);
		code = store_each(store, take_one_record, record, sql, "b", serial, bytes);
		found = record->id != 0;
	}
	return code || found
	    ? code
	    : message_fail(EX_NOINPUT,
		  "'%s': no certificate of this name or serial here; see `valise-pki list`",
		  name_or_serial);
}

struct der_call {
	gnutls_x509_crt_t certificate;
	int problem;
};

static int
take_der(void *arg, sqlite3_stmt *row)
{
	struct der_call *call = arg;
	gnutls_datum_t der = { (unsigned char *)(uintptr_t)sqlite3_column_blob(row, 0),
		(unsigned)sqlite3_column_bytes(row, 0) };

	call->problem = gnutls_x509_crt_import(call->certificate, &der, GNUTLS_X509_FMT_DER);
	return 0;
}

int
record_certificate(struct store *store, int64_t id, gnutls_x509_crt_t *out)
{
	struct der_call call = { NULL, GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE };
	int code;

	*out = NULL;
	if (gnutls_x509_crt_init(&call.certificate) < 0)
		return message_no_memory();
	code = store_each(
	    store, take_der, &call, "SELECT der FROM body WHERE certificate = ?", "i", id);
	if (!code && call.problem < 0)
		code = message_fail(EX_DATAERR,
		    "the inventory holds a certificate that cannot be read: %s; restore a backup",
		    gnutls_strerror(call.problem));
	if (code)
		gnutls_x509_crt_deinit(call.certificate);
	else
		*out = call.certificate;
	return code;
}

int
record_ca_certificate(struct store *store, const struct ca *ca, gnutls_x509_crt_t *out)
{
	struct record record;
	bool found;
	int code = record_look_up(store, ca->name, &record, &found);

	*out = NULL;
	if (!code && !found)
		code = message_fail(EX_DATAERR,
		    "the inventory has lost the certificate of the CA '%s'; restore a backup",
		    ca->name);
	return code ? code : record_certificate(store, record.id, out);
}

const char *
record_serial(const struct record *record, char out[SERIAL_HEX])
{
	hex_encode(out, record->serial, record->serial_bytes);
	for (char *at = out; *at; at++)
		*at = (char)toupper((unsigned char)*at);
	return out;
}
