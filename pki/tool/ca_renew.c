/*
 * Renewing a CA: a certificate with the same key, subject, bounds and ceiling, and a new
 * end.  What the CA issued goes on verifying; the chains and bundles that hold its
 * certificate are written again.
 */
#include "base/units.h"
#include "pki/tool/ca_create.h"

#include <gnutls/abstract.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pki/oid.h"
#include "pki/tool/describe.h"
#include "pki/tool/extension.h"
#include "pki/tool/mint.h"
#include "pki/tool/output.h"
#include "pki/tool/profile.h"
#include "pki/tool/publish.h"
#include "pki/tool/message.h"

/* What the new certificate repeats of the old one. */
struct template
{
	char common_name[256], organisation[256];
	char permits[TEXTS_MOST][NAME_SIZE];
	struct texts permit_texts;
	gnutls_datum_t grant;
	struct mint mint;
};

static int
add_permit(void *arg, sqlite3_stmt *row)
{
	struct template *template = arg;
	struct texts *texts = &template->permit_texts;

	if (texts->count == TEXTS_MOST)
		return message_fail(EX_DATAERR, "the inventory lists too many names for a sub-CA");
	store_text(row, 0, template->permits[texts->count], NAME_SIZE);
	texts->at[texts->count] = template->permits[texts->count];
	texts->count++;
	return 0;
}

static int
copy_from(struct store *store, const struct signer *old, struct template *template)
{
	const struct profile *profile = profile_of_role(old->ca.role);
	size_t name_bytes = sizeof template->common_name,
	       organisation_bytes = sizeof template->organisation;
	unsigned critical;
	int code;

	if (gnutls_x509_crt_get_dn_by_oid(old->certificate, GNUTLS_OID_X520_COMMON_NAME, 0, 0,
		template->common_name, &name_bytes) < 0 ||
	    gnutls_x509_crt_get_dn_by_oid(old->certificate, GNUTLS_OID_X520_ORGANIZATION_NAME, 0, 0,
		template->organisation, &organisation_bytes) < 0)
		return message_fail(EX_DATAERR,
		    "the subject of the CA '%s' was not made by this program", old->ca.name);
	template->mint = (struct mint){ .common_name = template->common_name,
		.organisation = template->organisation,
		.is_ca = true,
		.path_length = -1,
		.purposes = profile ? profile->purposes : NULL,
		.permits = &template->permit_texts };
	gnutls_x509_crt_get_basic_constraints(
	    old->certificate, &critical, NULL, &template->mint.path_length);
	code = extension_read(old->certificate, OID_GRANT, &template->grant);
	if (code)
		return code;
	template->mint.grant = template->grant.data;
	template->mint.grant_bytes = template->grant.size;
	return store_each(
	    store, add_permit, template, "SELECT host FROM permit WHERE ca = ?", "i", old->ca.id);
}

static int
choose_end(const struct authority *authority, const struct signer *old, const struct signer *parent,
    int64_t seconds, struct record *record)
{
	bool is_root = old->ca.parent == old->ca.id;
	bool is_sub = strcmp(old->ca.name, old->ca.role) != 0;
	int64_t most =
	    is_root ? INT64_MAX : gnutls_x509_crt_get_expiration_time(parent->certificate);
	char text[TIME_TEXT];

	record->not_before = authority->now - BACKDATE_S;
	record->not_after = authority->now + (seconds ? seconds : is_sub ? SUB_CA_S : CA_S);
	if (record->not_after > most && seconds)
		return message_fail(EX_DATAERR,
		    "the CA '%s' ends %s, before the new certificate would; renew it first",
		    parent->ca.name, time_text(most, text));
	if (record->not_after > most)
		record->not_after = most;
	return 0;
}

static int
publish_leaf_row(void *arg, const struct record *record)
{
	return publish_leaf(arg, record);
}

/* The chains of leaves hold intermediates, so those below this CA are written again. */
static int
publish_chains(struct store *store, const struct ca *ca)
{
	if (ca->parent == ca->id)
		return 0;
	return record_each(store, publish_leaf_row, store,
	    "WHERE current = 1 AND kind != 'ca' AND "
	    "(issuer = ? OR issuer IN (SELECT id FROM ca WHERE parent = ?))",
	    "ii", ca->id, ca->id);
}

static int
public_of(gnutls_x509_crt_t certificate, gnutls_pubkey_t *out)
{
	return gnutls_pubkey_init(out) < 0 || gnutls_pubkey_import_x509(*out, certificate, 0) < 0
	    ? message_no_memory()
	    : 0;
}

static int
enter(struct authority *authority, struct signer *old, const struct signer *parent,
    struct template *template, struct record *record)
{
	struct store *store = &authority->store;
	bool is_root = old->ca.parent == old->ca.id;
	gnutls_datum_t der = { 0 };
	gnutls_pubkey_t public = NULL;
	int code = public_of(old->certificate, &public);

	if (!code)
		code = store_begin(store);
	if (!code)
		code = mint_certificate(&template->mint, public,
		    is_root ? NULL : parent->certificate, parent->key, &der);
	if (!code)
		code = record_add(store, record, &der);
	if (!code)
		code = publish_ca(store, &old->ca);
	if (!code)
		code = publish_bundles(store, old->ca.role);
	if (!code)
		code = publish_chains(store, &old->ca);
	gnutls_free(der.data);
	gnutls_pubkey_deinit(public);
	return code ? code : store_commit(store);
}

static int
print(struct authority *authority, const struct record *record)
{
	json_t *object;
	int code = describe_record(&authority->store, record, &object);

	return code ? code : output_print(authority->common, object);
}

int
ca_renew(struct authority *authority, const struct record *old, int64_t seconds)
{
	struct record record = {
		.issuer = old->issuer, .serial_bytes = MINT_SERIAL, .kind = "ca", .current = true
	};
	struct template *template = calloc(1, sizeof *template);
	struct signer own = { 0 }, parent = { 0 };
	struct ca above;
	int code = template ? ca_find(&authority->store, old->name, &own.ca) : message_no_memory();

	if (!code)
		code = record_ca_certificate(&authority->store, &own.ca, &own.certificate);
	if (!code)
		code = ca_by_id(&authority->store, own.ca.parent, &above);
	if (!code)
		code = signer_open(&authority->store, above.name, &authority->passphrase, &parent);
	if (!code)
		code = copy_from(&authority->store, &own, template);
	if (!code)
		code = choose_end(authority, &own, &parent, seconds, &record);
	snprintf(record.name, sizeof record.name, "%s", old->name);
	snprintf(record.key, sizeof record.key, "%s", old->key);
	mint_serial(record.serial);
	if (!code) {
		template->mint.not_before = record.not_before;
		template->mint.not_after = record.not_after;
		memcpy(template->mint.serial, record.serial, MINT_SERIAL);
		code = enter(authority, &own, &parent, template, &record);
	}
	if (!code)
		code = print(authority, &record);
	if (template)
		gnutls_free(template->grant.data);
	free(template);
	signer_wipe(&own);
	signer_wipe(&parent);
	return code;
}
