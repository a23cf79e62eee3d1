/*
 * The key of a leaf: made here into issued/NAME.key, made on a token, or one
 * that exists already, of which only the public half is looked at.
 */
#ifndef PKI_TOOL_LEAF_KEY_H
#define PKI_TOOL_LEAF_KEY_H

#include "pki/tool/key.h"
#include "pki/tool/leaf.h"

struct leaf_key_options {
	const char *type;  /* --key-type */
	const char *token; /* --token: made there */
	const char *key;   /* --key: a file or pkcs11: URI that exists */
	bool encrypt;      /* --encrypt-key: with the passphrase */
};

#define LEAF_KEY_OPTION_ROWS(type_, member) \
	{ "key-type", OPTION_TEXT, offsetof(type_, member.type), "TYPE", \
		"p256 (default), ed25519, rsa2048, rsa3072", 0 }, \
	    { "key", OPTION_TEXT, offsetof(type_, member.key), "FILE|URI", \
		    "use this key: a file or a pkcs11: URI", 0 }, \
	    { "token", OPTION_TEXT, offsetof(type_, member.token), "URI", \
		    "make the key on this PKCS#11 token", 0 }, \
	{ \
		"encrypt-key", OPTION_FLAG, offsetof(type_, member.encrypt), NULL, \
		    "encrypt issued/NAME.key with the passphrase", 0 \
	}

/* Owned by the caller: {0} before, wipe in any case. */
struct leaf_key {
	gnutls_pubkey_t public;
	struct secret pem; /* empty unless it was made here */
	char place[KEY_PLACE];
};

/* Fills the leaf's key, key_pem and key_place, which point into `out`. */
int leaf_key_make(
    struct authority *, const struct leaf_key_options *, struct leaf *, struct leaf_key *out);
void leaf_key_wipe(struct leaf_key *);

#endif
