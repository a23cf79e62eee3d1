/* Leaf, key and chain together. */
#include "pki/tool/keyring.h"

#include <string.h>

#include "pki/tool/key.h"
#include "pki/tool/say.h"
#include "pki/tool/token.h"

static int
collect_chain(struct store *store, struct keyring *keyring)
{
	struct ca ca;
	int code = record_certificate(store, keyring->record.id,
	    &keyring->chain[keyring->chain_count]);
	int64_t next = keyring->record.issuer, last = 0;

	while (!code && next != last) {
		if (++keyring->chain_count == CHAIN_MOST)
			return say_fail(EX_DATAERR, "the chain of '%s' is too long",
			    keyring->record.name);
		code = ca_by_id(store, next, &ca);
		if (!code)
			code = ca_certificate(store, &ca, &keyring->chain[keyring->chain_count]);
		last = next;
		next = ca.parent;
	}
	if (!code)
		keyring->chain_count++;
	return code;
}

static int
load_key(struct authority *authority, struct keyring *keyring)
{
	const char *place = keyring->record.key;
	int code;

	if (!*place || token_is_uri(place))
		return 0;
	code = key_load(&authority->store, place, &authority->passphrase, &keyring->key);
	return code ? code : key_encode(keyring->key, NULL, &keyring->key_pem);
}

int
keyring_open(struct authority *authority, const char *name, struct keyring *keyring)
{
	bool found;
	int code = record_look_up(&authority->store, name, &keyring->record, &found);

	if (!code && !found)
		code = say_fail(EX_NOINPUT,
		    "'%s': no certificate of this name here; see `valise-pki list`", name);
	if (!code && strcmp(keyring->record.kind, "ca") == 0)
		code = say_fail(EX_USAGE,
		    "'%s' is a CA; its key does not leave this place, its certificate is "
		    "cas/%s.crt", name, name);
	if (!code && keyring->record.revoked_at)
		code = say_fail(EX_DATAERR, "'%s' is revoked; rekey it first", name);
	if (!code)
		code = collect_chain(&authority->store, keyring);
	return code ? code : load_key(authority, keyring);
}

static int
add_pem(gnutls_x509_crt_t certificate, struct secret *pile)
{
	gnutls_datum_t pem = { 0 };
	struct secret longer = { 0 };
	uint8_t *both;
	bool kept;

	if (gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &pem) < 0)
		return say_no_memory();
	both = gnutls_malloc(pile->bytes + pem.size);
	if (both && pile->bytes)
		memcpy(both, pile->data, pile->bytes);
	if (both)
		memcpy(both + pile->bytes, pem.data, pem.size);
	kept = both && secret_init(&longer, both, pile->bytes + pem.size);
	gnutls_free(both);
	gnutls_free(pem.data);
	if (!kept)
		return say_no_memory();
	secret_wipe(pile);
	*pile = longer;
	return 0;
}

int
keyring_chain_pem(const struct keyring *keyring, struct secret *out)
{
	int code = 0;

	for (size_t i = 0; !code && i + 1 < keyring->chain_count; i++)
		code = add_pem(keyring->chain[i], out);
	return code;
}

int
keyring_root_pem(const struct keyring *keyring, struct secret *out)
{
	return add_pem(keyring->chain[keyring->chain_count - 1], out);
}

void
keyring_wipe(struct keyring *keyring)
{
	for (size_t i = 0; i < CHAIN_MOST; i++)
		gnutls_x509_crt_deinit(keyring->chain[i]);
	gnutls_x509_privkey_deinit(keyring->key);
	secret_wipe(&keyring->key_pem);
	*keyring = (struct keyring){ 0 };
}
