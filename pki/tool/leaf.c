/* One leaf, from judgement to file. */
#include "pki/tool/leaf.h"

#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "pki/crl.h"
#include "pki/tool/ceiling.h"
#include "pki/tool/describe.h"
#include "pki/tool/mint.h"
#include "pki/tool/output.h"
#include "pki/tool/publish.h"
#include "pki/tool/message.h"

static int
add_permit(void *arg, sqlite3_stmt *row)
{
	struct names *permits = arg;

	return names_add(permits, GNUTLS_SAN_DNSNAME, (const char *)sqlite3_column_text(row, 0));
}

static int
judge_names(struct store *store, const struct signer *signer, const struct leaf *leaf)
{
	struct names permits = { 0 };
	int code = store_each(store, add_permit, &permits, "SELECT host FROM permit WHERE ca = ?",
	    "i", signer->ca.id);

	for (size_t i = 0; !code && permits.count && i < leaf->names.count; i++) {
		const struct name *name = &leaf->names.at[i];
		bool within = false;
		char list[1024];

		for (size_t j = 0; name->type == GNUTLS_SAN_DNSNAME && j < permits.count && !within;
		     j++)
			within = names_is_within(name->text, permits.at[j].text);
		names_join(&permits, list, sizeof list);
		if (!within)
			code = message_fail(EX_DATAERR,
			    "'%s' is outside of what the CA '%s' may certify: %s", name->text,
			    signer->ca.name, list);
	}
	return code;
}

static bool
overlaps(const struct name *name, const char *permitted)
{
	const char *host = name->text + (strncmp(name->text, "*.", 2) == 0 ? 2 : 0);

	return name->type == GNUTLS_SAN_DNSNAME &&
	    (names_is_within(name->text, permitted) ||
		(host != name->text && names_is_within(permitted, host)));
}

static int
refuse_overlap(void *arg, sqlite3_stmt *row)
{
	const struct leaf *leaf = arg;
	const char *host = (const char *)sqlite3_column_text(row, 0);
	const char *ca = (const char *)sqlite3_column_text(row, 1);

	for (size_t i = 0; i < leaf->names.count; i++)
		if (overlaps(&leaf->names.at[i], host))
			return message_fail(EX_DATAERR,
			    "'%s' overlaps %s of the sub-CA '%s'; give --issuer %s, or --shared if "
			    "others may serve it too",
			    leaf->names.at[i].text, host, ca, ca);
	return 0;
}

/* An agent by the role's own CA, whom no constraint holds, gets no customer's name unasked. */
static int
judge_customers(struct store *store, const struct signer *signer, struct leaf *leaf)
{
	if (!leaf->profile->granted || leaf->grant.shared || leaf->replaces ||
	    strcmp(signer->ca.name, signer->ca.role) != 0)
		return 0;
	return store_each(
	    store, refuse_overlap, leaf, "SELECT host, name FROM permit JOIN ca ON id = ca", "");
}

static bool
has_host(const struct leaf *leaf)
{
	for (size_t i = 0; i < leaf->names.count; i++)
		if (leaf->names.at[i].type == GNUTLS_SAN_DNSNAME ||
		    (leaf->profile->serves && leaf->names.at[i].type == GNUTLS_SAN_IPADDRESS))
			return true;
	return false;
}

static int
refuse_revoked_ca(struct store *store, const struct signer *signer)
{
	struct record record;
	bool found;
	int code = record_look_up(store, signer->ca.name, &record, &found);

	return code || !record.revoked_at
	    ? code
	    : message_fail(EX_DATAERR,
		  "the CA '%s' is revoked; nobody would believe what it issues", signer->ca.name);
}

int
leaf_judge(struct store *store, const struct signer *signer, struct leaf *leaf)
{
	const struct profile *profile = leaf->profile;
	struct grant ceiling;
	bool limited;
	int code;

	if (strcmp(signer->ca.role, profile->role) != 0)
		return message_fail(EX_USAGE, "the CA '%s' issues %s, not %ss", signer->ca.name,
		    strcmp(signer->ca.role, "root") == 0 ? "intermediates" : signer->ca.role,
		    profile->kind);
	if ((profile->serves || profile->granted) && !has_host(leaf))
		return message_fail(EX_USAGE,
		    "%s '%s' needs a name to serve: give --host app.example.com", profile->kind,
		    leaf->name);
	code = refuse_revoked_ca(store, signer);
	if (!code)
		code = judge_names(store, signer, leaf);
	if (!code)
		code = judge_customers(store, signer, leaf);
	if (code || !profile->granted)
		return code;
	code = ceiling_of(signer->certificate, &ceiling, &limited);
	return code || !limited ? code : ceiling_fit(&leaf->grant, &ceiling);
}

/* notAfter, within the CA's. */
static int
choose_end(const struct signer *signer, const struct leaf *leaf, int64_t now, int64_t *not_after)
{
	int64_t most = gnutls_x509_crt_get_expiration_time(signer->certificate);
	char text[TIME_TEXT];

	*not_after = now + (leaf->seconds ? leaf->seconds : leaf->profile->seconds);
	if (most <= now)
		return message_fail(EX_DATAERR, "the CA '%s' ended %s; `valise-pki renew %s` first",
		    signer->ca.name, time_text(most, text), signer->ca.name);
	if (*not_after > most && leaf->seconds && !leaf->ends_with_ca)
		return message_fail(EX_DATAERR,
		    "the CA '%s' ends %s, before the certificate would; ask for less, or renew the "
		    "CA first",
		    signer->ca.name, time_text(most, text));
	if (*not_after > most) {
		*not_after = most;
		message_warning("the certificate ends with its CA '%s', %s", signer->ca.name,
		    time_text(most, text));
	}
	if (leaf->profile->serves && *not_after - now > SERVER_MOST_S)
		message_warning("Apple's clients refuse server certificates of more than 825 days");
	return 0;
}

static int
mint_leaf(const struct signer *signer, const struct leaf *leaf, struct record *record,
    gnutls_datum_t *der)
{
	uint8_t grant[GRANT_DER_BYTES];
	struct mint request = {
		.common_name = leaf->name,
		.not_before = record->not_before,
		.not_after = record->not_after,
		.purposes = leaf->profile->purposes,
		.names = &leaf->names,
	};

	if (leaf->profile->granted) {
		if (!grant_encode(&leaf->grant, grant, sizeof grant, &request.grant_bytes))
			return message_fail(
			    EX_DATAERR, "the grant is out of its ranges; see valise-pki(1)");
		request.grant = grant;
	}
	memcpy(request.serial, record->serial, MINT_SERIAL);
	return mint_certificate(&request, leaf->key, signer->certificate, signer->key, der);
}

int
leaf_may_be_renewed(const struct record *record)
{
	bool held = record->reason == CRL_HOLD;

	return record->revoked_at == 0
	    ? 0
	    : message_fail(EX_DATAERR, "'%s' is %s; its key gets no new certificate: use rekey%s",
		  record->name, held ? "held" : "revoked", held ? ", or unhold it" : "");
}

static int
refuse_overwriting(struct store *store, const struct leaf *leaf)
{
	char key[CA_NAME + 16], certificate[CA_NAME + 16], serial[SERIAL_HEX];
	struct record old;
	bool found;
	int code = record_look_up(store, leaf->name, &old, &found);

	if (!code && leaf->keeps_key)
		code = leaf_may_be_renewed(&old);
	if (code || leaf->replaces)
		return code;
	if (found)
		return message_fail(EX_CANTCREAT,
		    "'%s' exists already: %s, serial %s; renew or rekey it, or take another name",
		    leaf->name, old.kind, record_serial(&old, serial));
	snprintf(key, sizeof key, "issued/%s.key", leaf->name);
	snprintf(certificate, sizeof certificate, "issued/%s.crt", leaf->name);
	if (store_has_file(store, key) || store_has_file(store, certificate))
		return message_fail(EX_CANTCREAT,
		    "%s/issued/%s.key or .crt is there but not in the inventory; move it away",
		    store->dir, leaf->name);
	return 0;
}

static int
enter(struct authority *authority, struct signer *signer, const struct leaf *leaf,
    struct record *record)
{
	struct store *store = &authority->store;
	gnutls_datum_t der = { 0 };
	char path[CA_NAME + 16];
	int code = refuse_overwriting(store, leaf);

	if (!code) /* again: another process may have revoked it since */
		code = refuse_revoked_ca(store, signer);
	if (!code)
		code = mint_leaf(signer, leaf, record, &der);
	if (!code)
		code = record_add(store, record, &der);
	gnutls_free(der.data);
	snprintf(path, sizeof path, "issued/%s.key", leaf->name);
	if (!code && leaf->key_pem)
		code = store_put(store, path, 0600, leaf->key_pem->data, leaf->key_pem->bytes);
	return code ? code : publish_leaf(store, record);
}

int
leaf_enter(
    struct authority *authority, struct signer *signer, const struct leaf *leaf, struct record *out)
{
	int code;

	*out = (struct record){ .issuer = signer->ca.id,
		.serial_bytes = MINT_SERIAL,
		.current = true,
		.not_before = authority->now - BACKDATE_S,
		.seconds = leaf->seconds ? leaf->seconds : leaf->profile->seconds };
	mint_serial(out->serial);
	snprintf(out->name, sizeof out->name, "%s", leaf->name);
	snprintf(out->kind, sizeof out->kind, "%s", leaf->profile->kind);
	names_join(&leaf->names, out->hosts, sizeof out->hosts);
	if (leaf->key_pem)
		snprintf(out->key, sizeof out->key, "issued/%s.key", leaf->name);
	else
		snprintf(out->key, sizeof out->key, "%s", leaf->key_place ? leaf->key_place : "");
	code = choose_end(signer, leaf, authority->now, &out->not_after);
	return code ? code : enter(authority, signer, leaf, out);
}

int
leaf_issue(
    struct authority *authority, struct signer *signer, const struct leaf *leaf, struct record *out)
{
	int code = store_begin(&authority->store);

	if (!code)
		code = leaf_enter(authority, signer, leaf, out);
	return code ? code : store_commit(&authority->store);
}

static void
set_path(json_t *object, const char *key, const char *dir, const char *path)
{
	char whole[PATH_MAX];

	snprintf(whole, sizeof whole, "%s/%s", dir, path);
	json_object_set_new(object, key,
	    json_string(*path == '/' || strncmp(path, "pkcs11:", 7) == 0 ? path : whole));
}

int
leaf_print(struct authority *authority, const struct record *record)
{
	char path[CA_NAME + 16];
	json_t *object;
	int code = describe_record(&authority->store, record, &object);

	if (code)
		return code;
	snprintf(path, sizeof path, "issued/%s.crt", record->name);
	set_path(object, "certificate", authority->store.dir, path);
	if (*record->key)
		set_path(object, "private_key", authority->store.dir, record->key);
	return output_print(authority->common, object);
}
