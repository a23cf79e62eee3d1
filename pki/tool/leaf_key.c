/* Makes or finds the key of a leaf, in a file or on a token. */
#include "pki/tool/leaf_key.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pki/tool/message.h"
#include "pki/tool/token.h"

static int
make_file(struct authority *authority, const struct leaf_key_options *options,
    const struct leaf *leaf, enum key_type type, struct leaf_key *out, gnutls_privkey_t *private)
{
	gnutls_x509_privkey_t key = NULL;
	int code = options->encrypt ? passphrase_need(&authority->passphrase, leaf->name, true) : 0;

	if (!code)
		code = key_generate(type, &key);
	if (!code)
		code = key_encode(key,
		    options->encrypt ? passphrase_text(&authority->passphrase) : NULL, &out->pem);
	if (!code)
		code = key_abstract(key, private);
	gnutls_x509_privkey_deinit(key);
	return code;
}

static int
use_existing(
    struct authority *authority, const char *where, struct leaf_key *out, gnutls_privkey_t *private)
{
	char *whole = token_is_uri(where) ? NULL : realpath(where, NULL);
	int code;

	snprintf(out->place, sizeof out->place, "%s", whole ? whole : where);
	code = key_open(&authority->store, out->place, &authority->passphrase, private);
	free(whole);
	return code;
}

int
leaf_key_make(struct authority *authority, const struct leaf_key_options *options,
    struct leaf *leaf, struct leaf_key *out)
{
	gnutls_privkey_t private = NULL;
	enum key_type type;
	int code = key_parse_type(options->type, &type);

	if (code)
		return code;
	if ((options->key != NULL) + (options->token != NULL) + options->encrypt > 1)
		return message_fail(
		    EX_USAGE, "--key, --token and --encrypt-key exclude each other");
	if (options->key)
		code = use_existing(authority, options->key, out, &private);
	else if (options->token)
		code = token_generate(options->token, leaf->name, type, &authority->passphrase,
		    out->place, sizeof out->place, &private);
	else
		code = make_file(authority, options, leaf, type, out, &private);
	if (!code)
		code = key_public(private, &out->public);
	gnutls_privkey_deinit(private);
	leaf->key = out->public;
	leaf->key_pem = out->pem.bytes ? &out->pem : NULL;
	leaf->key_place = out->place;
	return code;
}

void
leaf_key_wipe(struct leaf_key *key)
{
	gnutls_pubkey_deinit(key->public);
	secret_wipe(&key->pem);
	*key = (struct leaf_key){ 0 };
}
