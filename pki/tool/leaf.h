/*
 * Issuing a leaf certificate: judged against its CA, minted, entered in the
 * inventory and written, all in one change.
 */
#ifndef PKI_TOOL_LEAF_H
#define PKI_TOOL_LEAF_H

#include <gnutls/abstract.h>

#include "base/secret.h"
#include "pki/grant.h"
#include "pki/tool/authority.h"
#include "pki/tool/names.h"
#include "pki/tool/profile.h"
#include "pki/tool/signer.h"

struct leaf {
	const struct profile *profile;
	const char *name;
	struct names names;
	/* of an agent; what is 0 or empty takes the ceiling's value */
	struct grant grant;
	int64_t seconds;              /* lifetime; 0: the profile's, cut to the CA's end */
	gnutls_pubkey_t key;          /* borrowed */
	const struct secret *key_pem; /* written to issued/NAME.key; NULL: the key is elsewhere */
	/* where, if key_pem is NULL: a pkcs11: URI, an old key's file, or NULL */
	const char *key_place;
	bool replaces;     /* renew, rekey: there is one of this name */
	bool keeps_key;    /* renew */
	bool ends_with_ca; /* a lifetime beyond the CA's end is cut, not refused */
};

/* Whether a certificate for the same key may follow this one: not when it is revoked. */
int leaf_may_be_renewed(const struct record *);
/* Whether the CA may issue it: kind, names, grant. Fills the grant's gaps from the CA's ceiling. */
int leaf_judge(struct store *, const struct signer *, struct leaf *);
/* After leaf_judge(). One transaction. */
int leaf_issue(struct authority *, struct signer *, const struct leaf *, struct record *out);
/* The same inside a change of the caller's, who commits it. */
int leaf_enter(struct authority *, struct signer *, const struct leaf *, struct record *out);
/* What issue, sign, renew and rekey print. */
int leaf_print(struct authority *, const struct record *);

#endif
