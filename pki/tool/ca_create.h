/*
 * Creating and renewing a CA.  A new one gets its key, its certificate from the CA above it,
 * its entry in the inventory and its first, empty CRL.  A renewed one keeps its key, which is not
 * needed for it.
 */
#ifndef PKI_TOOL_CA_CREATE_H
#define PKI_TOOL_CA_CREATE_H

#include "base/secret.h"
#include "pki/tool/authority.h"
#include "pki/tool/key.h"
#include "pki/tool/signer.h"

struct new_ca {
	const char *name, *role;
	const char *organisation; /* of the subject; the common name is "ORGANISATION NAME" */
	int path_length;
	const char *const *purposes;
	const struct texts *permits;
	const uint8_t *grant; /* DER of the ceiling, or NULL */
	size_t grant_bytes;
	int64_t seconds; /* lifetime, cut to the parent's */
	/* Of a CA whose key is not ours: the public half, owned; ca_create_key() is not called, and the
	 * CA issues its CRLs itself. */
	gnutls_pubkey_t public;
	struct secret key_pem; /* set by ca_create_key(); owned, wiped by ca_create_wipe() */
	struct signer signer;  /* the new CA; owned */
};

struct ca_key_options {
	const char *type;  /* --key-type */
	const char *token; /* --token */
	bool no_password;  /* --no-password */
};

#define CA_KEY_OPTION_ROWS(type_, member) \
	{ "key-type", OPTION_TEXT, offsetof(type_, member.type), "TYPE", \
		"of the CA keys: p256 (default), ed25519, rsa2048, rsa3072", 0 }, \
	    { "token", OPTION_TEXT, offsetof(type_, member.token), "URI", \
		    "make them on this PKCS#11 token", 0 }, \
	{ \
		"no-password", OPTION_FLAG, offsetof(type_, member.no_password), NULL, \
		    "keep them in clear", 0 \
	}

/* Makes the key, encrypted unless no_password is set. Call it before the change begins, as it is slow. */
int ca_create_key(struct authority *, struct new_ca *, const struct ca_key_options *);
/* Call it inside a change. Without a parent the new CA is a root. */
int ca_create(struct authority *, struct new_ca *, const struct signer *parent);
void ca_create_wipe(struct new_ca *);

/* Renews the certificate of the CA whose current record is `old`, in a change of its own.
 * seconds 0: the usual lifetime. */
int ca_renew(struct authority *, const struct record *old, int64_t seconds);

#endif
