/* Leaf, key and chain, collected from the inventory. */
#include "pki/tool/identity_bundle.h"

#include <string.h>

#include "pki/tool/key.h"
#include "pki/tool/message.h"
#include "pki/tool/token.h"

static int
collect_chain(struct store *store, struct identity_bundle *bundle)
{
	struct ca ca;
	int code =
	    record_certificate(store, bundle->record.id, &bundle->chain[bundle->chain_count]);
	int64_t next = bundle->record.issuer, last = 0;

	while (!code && next != last) {
		if (++bundle->chain_count == CHAIN_MOST)
			return message_fail(
			    EX_DATAERR, "the chain of '%s' is too long", bundle->record.name);
		code = ca_by_id(store, next, &ca);
		if (!code)
			code =
			    record_ca_certificate(store, &ca, &bundle->chain[bundle->chain_count]);
		last = next;
		next = ca.parent;
	}
	if (!code)
		bundle->chain_count++;
	return code;
}

static int
load_key(struct authority *authority, struct identity_bundle *bundle)
{
	const char *place = bundle->record.key;
	int code;

	if (!*place || token_is_uri(place))
		return 0;
	code = key_load(&authority->store, place, &authority->passphrase, &bundle->key);
	return code ? code : key_encode(bundle->key, NULL, &bundle->key_pem);
}

int
identity_bundle_open(struct authority *authority, const char *name, struct identity_bundle *bundle)
{
	bool found;
	int code = record_look_up(&authority->store, name, &bundle->record, &found);

	if (!code && !found)
		code = message_fail(EX_NOINPUT,
		    "'%s': no certificate of this name here; see `valise-pki list`", name);
	if (!code && strcmp(bundle->record.kind, "ca") == 0)
		code = message_fail(EX_USAGE,
		    "'%s' is a CA; its key is not exported, its certificate is "
		    "cas/%s.crt",
		    name, name);
	if (!code && bundle->record.revoked_at)
		code = message_fail(EX_DATAERR, "'%s' is revoked; rekey it first", name);
	if (!code)
		code = collect_chain(&authority->store, bundle);
	return code ? code : load_key(authority, bundle);
}

static int
add_pem(gnutls_x509_crt_t certificate, struct secret *buffer)
{
	gnutls_datum_t pem = { 0 };
	struct secret longer = { 0 };
	uint8_t *both;
	bool kept;

	if (gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &pem) < 0)
		return message_no_memory();
	both = gnutls_malloc(buffer->bytes + pem.size);
	if (both && buffer->bytes)
		memcpy(both, buffer->data, buffer->bytes);
	if (both)
		memcpy(both + buffer->bytes, pem.data, pem.size);
	kept = both && secret_init(&longer, both, buffer->bytes + pem.size);
	gnutls_free(both);
	gnutls_free(pem.data);
	if (!kept)
		return message_no_memory();
	secret_wipe(buffer);
	*buffer = longer;
	return 0;
}

int
identity_bundle_chain_pem(const struct identity_bundle *bundle, struct secret *out)
{
	int code = 0;

	for (size_t i = 0; !code && i + 1 < bundle->chain_count; i++)
		code = add_pem(bundle->chain[i], out);
	return code;
}

int
identity_bundle_root_pem(const struct identity_bundle *bundle, struct secret *out)
{
	return add_pem(bundle->chain[bundle->chain_count - 1], out);
}

void
identity_bundle_wipe(struct identity_bundle *bundle)
{
	for (size_t i = 0; i < CHAIN_MOST; i++)
		gnutls_x509_crt_deinit(bundle->chain[i]);
	gnutls_x509_privkey_deinit(bundle->key);
	secret_wipe(&bundle->key_pem);
	*bundle = (struct identity_bundle){ 0 };
}
