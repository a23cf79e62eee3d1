/* New CAs: key, certificate, inventory, first CRL. */
#include "pki/tool/ca_create.h"

#include <stdio.h>
#include <string.h>

#include "pki/tool/mint.h"
#include "pki/tool/profile.h"
#include "pki/tool/publish.h"
#include "pki/tool/message.h"
#include "pki/tool/token.h"

static int
make_file(struct authority *authority, struct new_ca *fresh, enum key_type type, bool no_password)
{
	struct signer *signer = &fresh->signer;
	gnutls_x509_privkey_t key = NULL;
	int code = 0;

	snprintf(signer->ca.key, sizeof signer->ca.key, "private/%s.key", fresh->name);
	authority->passphrase.avoidable = true;
	if (!no_password)
		code = passphrase_need(&authority->passphrase, "a new CA key", true);
	if (!code)
		code = key_generate(type, &key);
	if (!code)
		code = key_encode(key, no_password ? NULL : passphrase_text(&authority->passphrase),
		    &fresh->key_pem);
	if (!code)
		code = key_abstract(key, &signer->key);
	gnutls_x509_privkey_deinit(key);
	return code;
}

int
ca_create_key(
    struct authority *authority, struct new_ca *fresh, const struct ca_key_options *options)
{
	struct signer *signer = &fresh->signer;
	char label[256];
	enum key_type type;
	int code = key_parse_type(options->type, &type);

	if (code)
		return code;
	if (!options->token)
		return make_file(authority, fresh, type, options->no_password);
	snprintf(label, sizeof label, "%s %s", fresh->organisation, fresh->name);
	return token_generate(options->token, label, type, &authority->passphrase, signer->ca.key,
	    sizeof signer->ca.key, &signer->key);
}

static int
mint_ca(const struct new_ca *fresh, const struct signer *parent, struct record *record,
    gnutls_datum_t *der)
{
	char common_name[256];
	gnutls_pubkey_t own = NULL;
	struct mint request = {
		.common_name = common_name,
		.organisation = fresh->organisation,
		.not_before = record->not_before,
		.not_after = record->not_after,
		.purposes = fresh->purposes,
		.is_ca = true,
		.path_length = fresh->path_length,
		.permits = fresh->permits,
		.grant = fresh->grant,
		.grant_bytes = fresh->grant_bytes,
	};
	int code = fresh->public ? 0 : key_public(fresh->signer.key, &own);

	snprintf(common_name, sizeof common_name, "%s %s", fresh->organisation, fresh->name);
	mint_serial(record->serial);
	memcpy(request.serial, record->serial, MINT_SERIAL);
	if (!code)
		code = mint_certificate(&request, own ? own : fresh->public,
		    parent ? parent->certificate : NULL, parent ? parent->key : fresh->signer.key,
		    der);
	gnutls_pubkey_deinit(own);
	return code;
}

static int
enter_ca(struct authority *authority, struct new_ca *fresh, const struct signer *parent,
    struct record *record, const gnutls_datum_t *der)
{
	struct signer *signer = &fresh->signer;
	struct ca *ca = &signer->ca;
	int code;

	snprintf(ca->name, sizeof ca->name, "%s", fresh->name);
	snprintf(ca->role, sizeof ca->role, "%s", fresh->role);
	ca->parent = parent ? parent->ca.id : 0;
	ca->crl_seconds = CRL_S;
	code = ca_add(&authority->store, ca);
	record->issuer = ca->parent;
	for (size_t i = 0; !code && fresh->permits && i < fresh->permits->count; i++)
		code = store_do(&authority->store,
		    "INSERT OR IGNORE INTO permit(ca, host) VALUES(?, ?)", "it", ca->id,
		    fresh->permits->at[i]);
	if (!code)
		code = record_add(&authority->store, record, der);
	if (!code &&
	    (gnutls_x509_crt_init(&signer->certificate) < 0 ||
		gnutls_x509_crt_import(signer->certificate, der, GNUTLS_X509_FMT_DER) < 0))
		code = message_no_memory();
	return code;
}

int
ca_create(struct authority *authority, struct new_ca *fresh, const struct signer *parent)
{
	struct record record = { .serial_bytes = MINT_SERIAL,
		.kind = "ca",
		.current = true,
		.not_before = authority->now - BACKDATE_S,
		.not_after = authority->now + fresh->seconds };
	int64_t most =
	    parent ? gnutls_x509_crt_get_expiration_time(parent->certificate) : INT64_MAX;
	struct ca *ca = &fresh->signer.ca;
	gnutls_datum_t der = { 0 };
	int code;

	record.not_after = record.not_after < most ? record.not_after : most;
	snprintf(record.name, sizeof record.name, "%s", fresh->name);
	snprintf(record.key, sizeof record.key, "%s", ca->key);
	code = mint_ca(fresh, parent, &record, &der);
	if (!code)
		code = enter_ca(authority, fresh, parent, &record, &der);
	gnutls_free(der.data);
	if (!code && fresh->key_pem.bytes)
		code = store_put(
		    &authority->store, ca->key, 0600, fresh->key_pem.data, fresh->key_pem.bytes);
	if (!code)
		code = publish_ca(&authority->store, ca);
	return code || fresh->public
	    ? code
	    : publish_crl(&authority->store, &fresh->signer, 0, authority->now);
}

void
ca_create_wipe(struct new_ca *fresh)
{
	gnutls_pubkey_deinit(fresh->public);
	secret_wipe(&fresh->key_pem);
	signer_wipe(&fresh->signer);
}
