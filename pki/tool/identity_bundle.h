/*
 * An identity bundle: a certificate of the inventory with all that goes with it to
 * another machine, which is its chain, its key if that is kept here, and its root.
 */
#ifndef PKI_TOOL_IDENTITY_BUNDLE_H
#define PKI_TOOL_IDENTITY_BUNDLE_H

#include <gnutls/x509.h>
#include <stdbool.h>

#include "base/secret.h"
#include "pki/tool/authority.h"

enum { CHAIN_MOST = 8 };

struct identity_bundle {
	struct record record;
	gnutls_x509_crt_t chain[CHAIN_MOST]; /* the leaf, its CA ... and at last the root */
	size_t chain_count;
	gnutls_x509_privkey_t key; /* NULL: not kept here, or on a token */
	struct secret key_pem;     /* PKCS#8 in clear; empty likewise */
};

/* Begin with {0}, and wipe in any case. The name is that of a leaf. */
int identity_bundle_open(struct authority *, const char *name, struct identity_bundle *);
/* The chain in PEM, without the root. */
int identity_bundle_chain_pem(const struct identity_bundle *, struct secret *out);
int identity_bundle_root_pem(const struct identity_bundle *, struct secret *out);
void identity_bundle_wipe(struct identity_bundle *);

#endif
