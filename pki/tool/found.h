/*
 * Founding a CA: its key, its certificate from the one above, its entry in the
 * inventory and its first, empty CRL.
 */
#ifndef PKI_TOOL_FOUND_H
#define PKI_TOOL_FOUND_H

#include "base/secret.h"
#include "pki/tool/authority.h"
#include "pki/tool/key.h"
#include "pki/tool/signer.h"

struct founding {
	const char *name, *role;
	const char *organisation;	/* of the subject; the common name is "ORGANISATION NAME" */
	int path_length;
	const char *const *purposes;
	const struct texts *permits;
	const uint8_t *grant;		/* DER of the ceiling, or NULL */
	size_t grant_bytes;
	int64_t seconds;		/* lifetime, cut to the parent's */
	struct secret key_pem;		/* from found_key(); owned, wiped by found_wipe() */
	struct signer signer;		/* the new CA; owned */
};

struct ca_key_options {
	const char *type;	/* --key-type */
	const char *token;	/* --token */
	bool no_password;	/* --no-password */
};

#define CA_KEY_OPTION_ROWS(type_, member) \
	{ "key-type", OPTION_TEXT, offsetof(type_, member.type), "TYPE", \
	  "of the CA keys: p256 (default), ed25519, rsa2048, rsa3072", 0 }, \
	{ "token", OPTION_TEXT, offsetof(type_, member.token), "URI", \
	  "make them on this PKCS#11 token", 0 }, \
	{ "no-password", OPTION_FLAG, offsetof(type_, member.no_password), NULL, \
	  "keep them in clear", 0 }

/* Makes the key, encrypted unless told otherwise. Slow, so before the change begins. */
int found_key(struct authority *, struct founding *, const struct ca_key_options *);
/* Inside a change. parent NULL: a root. */
int found_ca(struct authority *, struct founding *, const struct signer *parent);
void found_wipe(struct founding *);

/* Renews a CA's certificate, the whole change; `old` is its current record. seconds 0:
 * the usual lifetime. */
int found_again(struct authority *, const struct record *old, int64_t seconds);

#endif
