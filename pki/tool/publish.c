/* Makes the files that others read from what the inventory holds. */
#include "pki/tool/publish.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pki/tool/crl_writer.h"
#include "pki/tool/profile.h"
#include "pki/tool/message.h"

/* The contents of a file that is being put together. */
struct file_buffer {
	char *data;
	size_t bytes;
};

static int
buffer_add(struct file_buffer *buffer, const void *data, size_t bytes)
{
	char *more = realloc(buffer->data, buffer->bytes + bytes);

	if (!more)
		return message_no_memory();
	memcpy(more + buffer->bytes, data, bytes);
	*buffer = (struct file_buffer){ more, buffer->bytes + bytes };
	return 0;
}

static int
buffer_add_pem(struct file_buffer *buffer, const char *label, const gnutls_datum_t *der)
{
	gnutls_datum_t pem = { 0 };
	int code;

	if (gnutls_pem_base64_encode2(label, der, &pem) < 0)
		return message_no_memory();
	code = buffer_add(buffer, pem.data, pem.size);
	gnutls_free(pem.data);
	return code;
}

static int
put(void *arg, const char *path, const void *data, size_t bytes)
{
	return store_put(arg, path, 0644, data, bytes);
}

static int
buffer_give(
    const struct publish_output *output, struct file_buffer *buffer, const char *path, int code)
{
	if (!code)
		code = output->take(output->arg, path, buffer->data, buffer->bytes);
	free(buffer->data);
	*buffer = (struct file_buffer){ 0 };
	return code;
}

static int
add_certificate_row(void *arg, sqlite3_stmt *row)
{
	gnutls_datum_t der = { (unsigned char *)(uintptr_t)sqlite3_column_blob(row, 0),
		(unsigned)sqlite3_column_bytes(row, 0) };

	return buffer_add_pem(arg, "CERTIFICATE", &der);
}

static int
add_blob_row(void *arg, sqlite3_stmt *row)
{
	return buffer_add(arg, sqlite3_column_blob(row, 0), (size_t)sqlite3_column_bytes(row, 0));
}

static int
add_revoked_row(void *arg, sqlite3_stmt *row)
{
	crl_writer_add(arg, sqlite3_column_blob(row, 0), (size_t)sqlite3_column_bytes(row, 0),
	    sqlite3_column_int64(row, 1), (enum crl_reason)sqlite3_column_int(row, 2));
	return 0;
}

/*
 * An entry stays until one CRL was issued behind the certificate's end (RFC 5280
 * 3.3), and behind its revocation: it is left out only if the last CRL was that one.
 */
static int
write_crl(struct store *store, struct signer *signer, int64_t now, gnutls_datum_t *der)
{
	struct ca *ca = &signer->ca;
	struct crl_writer writer = { 0 };
	int code = crl_writer_begin(&writer, signer->certificate, (uint64_t)ca->crl_number);

	if (!code)
		code = store_each(store, add_revoked_row, &writer,
		    "SELECT serial, revoked_at, reason FROM certificate "
		    "INDEXED BY certificate_revoked WHERE issuer = ? AND revoked_at IS NOT NULL "
		    "AND max(not_after, revoked_at) >= ? ORDER BY serial DESC",
		    "ii", ca->id, ca->crl_this);
	if (!code)
		code = crl_writer_sign(
		    &writer, signer->key, now - BACKDATE_S, now + ca->crl_seconds, der);
	crl_writer_wipe(&writer);
	return code;
}

int
publish_crl(struct store *store, struct signer *signer, int64_t seconds, int64_t now)
{
	struct ca *ca = &signer->ca;
	gnutls_datum_t der = { 0 };
	/* its number may have changed since it was opened */
	int code = ca_by_id(store, ca->id, ca);

	if (code)
		return code;
	ca->crl_number++;
	ca->crl_seconds = seconds ? seconds : ca->crl_seconds;
	code = write_crl(store, signer, now, &der);
	if (code)
		return code;
	ca->crl_this = now;
	ca->crl_next = now + ca->crl_seconds;
	code = publish_given_crl(store, ca, &der);
	gnutls_free(der.data);
	return code;
}

int
publish_given_crl(struct store *store, const struct ca *ca, const gnutls_datum_t *der)
{
	struct file_buffer buffer = { 0 };
	char path[CA_NAME + 16];
	int code = buffer_add_pem(&buffer, "X509 CRL", der);

	if (!code)
		code = store_do(store,
		    "UPDATE ca SET crl_number = ?, crl_this = ?, crl_next = ?, crl_seconds = ? "
		    "WHERE id = ?",
		    "iiiii", ca->crl_number, ca->crl_this, ca->crl_next, ca->crl_seconds, ca->id);
	if (!code)
		code = store_do(store, "INSERT OR REPLACE INTO crl(ca, pem) VALUES(?, ?)", "ib",
		    ca->id, buffer.data, buffer.bytes);
	snprintf(path, sizeof path, "crls/%s.crl", ca->name);
	return buffer_give(&(struct publish_output){ put, store }, &buffer, path, code);
}

static int
give_ca(struct store *store, const struct publish_output *output, const struct ca *ca)
{
	struct file_buffer buffer = { 0 };
	char path[CA_NAME + 16];
	int code = store_each(store, add_certificate_row, &buffer,
	    "SELECT der FROM body JOIN certificate ON id = certificate "
	    "WHERE name = ? AND current = 1",
	    "t", ca->name);

	if (!code && ca->parent == ca->id)
		code = output->take(output->arg, "root.crt", buffer.data, buffer.bytes);
	snprintf(path, sizeof path, "cas/%s.crt", ca->name);
	return buffer_give(output, &buffer, path, code);
}

int
publish_ca(struct store *store, const struct ca *ca)
{
	return give_ca(store, &(struct publish_output){ put, store }, ca);
}

static int
give_crl(struct store *store, const struct publish_output *output, const struct ca *ca)
{
	struct file_buffer buffer = { 0 };
	char path[CA_NAME + 16];
	int code = store_each(
	    store, add_blob_row, &buffer, "SELECT pem FROM crl WHERE ca = ?", "i", ca->id);

	if (!code && !*ca->key && !buffer.bytes) /* its owner has given none yet */
		return 0;
	snprintf(path, sizeof path, "crls/%s.crl", ca->name);
	return buffer_give(output, &buffer, path, code);
}

/*
 * The bundle of a CA named NAME: its certificate and those above it; the CRLs of
 * every CA above it and, for a role's own intermediate, of every CA below.
 */
static int
give_bundles(struct store *store, const struct publish_output *output, const struct ca *ca)
{
	struct file_buffer buffer = { 0 };
	char path[CA_NAME + 16];
	bool is_sub = strcmp(ca->name, ca->role) != 0;
	int code;

	if (ca->parent == ca->id)
		return 0;
	code = store_each(store, add_certificate_row, &buffer,
	    "SELECT der FROM ca CROSS JOIN certificate c ON c.name = ca.name "
	    "CROSS JOIN body ON c.id = certificate WHERE c.current = 1 AND (ca.parent = ca.id OR "
	    "ca.id IN (?, ?)) ORDER BY ca.id DESC",
	    "ii", ca->id, ca->parent);
	snprintf(path, sizeof path, "%s-ca.crt", ca->name);
	code = buffer_give(output, &buffer, path, code);
	if (code)
		return code;
	code = store_each(store, add_blob_row, &buffer,
	    "SELECT pem FROM crl JOIN ca ON ca.id = crl.ca "
	    "WHERE ca.parent = ca.id OR (ca.role = ? AND (? = 0 OR ca.id IN (?, ?))) ORDER BY "
	    "ca.id DESC",
	    "tiii", ca->role, (int64_t)is_sub, ca->id, ca->parent);
	snprintf(path, sizeof path, "%s.crl", ca->name);
	return buffer_give(output, &buffer, path, code);
}

struct giving {
	struct store *store;
	const struct publish_output *output;
	const char *role;
};

static int
give_bundles_of_role(void *arg, const struct ca *ca)
{
	const struct giving *giving = arg;

	if (strcmp(giving->role, "root") != 0 && strcmp(giving->role, ca->role) != 0)
		return 0;
	return give_bundles(giving->store, giving->output, ca);
}

int
publish_bundles(struct store *store, const char *role)
{
	return ca_each(store, give_bundles_of_role,
	    &(struct giving){ store, &(struct publish_output){ put, store }, role });
}

static int
give_leaf(struct store *store, const struct publish_output *output, const struct record *record)
{
	struct file_buffer buffer = { 0 };
	char path[CA_NAME + 16];
	struct ca ca;
	int code = store_each(store, add_certificate_row, &buffer,
	    "SELECT der FROM body WHERE certificate = ?", "i", record->id);

	if (!code)
		code = ca_by_id(store, record->issuer, &ca);
	while (!code && ca.parent != ca.id) {
		code = store_each(store, add_certificate_row, &buffer,
		    "SELECT der FROM body JOIN certificate ON id = certificate "
		    "WHERE name = ? AND current = 1",
		    "t", ca.name);
		if (!code)
			code = ca_by_id(store, ca.parent, &ca);
	}
	snprintf(path, sizeof path, "issued/%s.crt", record->name);
	return buffer_give(output, &buffer, path, code);
}

int
publish_leaf(struct store *store, const struct record *record)
{
	return give_leaf(store, &(struct publish_output){ put, store }, record);
}

static int
expect_of_ca(void *arg, const struct ca *ca)
{
	const struct giving *giving = arg;
	int code = give_ca(giving->store, giving->output, ca);

	if (!code)
		code = give_crl(giving->store, giving->output, ca);
	return code ? code : give_bundles(giving->store, giving->output, ca);
}

static int
expect_of_leaf(void *arg, const struct record *record)
{
	const struct giving *giving = arg;

	return give_leaf(giving->store, giving->output, record);
}

int
publish_expect(struct store *store, const struct publish_output *output)
{
	struct giving giving = { store, output, NULL };
	int code = ca_each(store, expect_of_ca, &giving);

	return code ? code
		    : record_each(store, expect_of_leaf, &giving,
			  "WHERE current = 1 AND kind != 'ca' ORDER BY id", "");
}
