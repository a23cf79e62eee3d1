/*
 * A certificate of the inventory together with all that goes with it when it
 * leaves the house: its chain, its key if that is kept here, its CA.
 */
#ifndef PKI_TOOL_KEYRING_H
#define PKI_TOOL_KEYRING_H

#include <gnutls/x509.h>
#include <stdbool.h>

#include "base/secret.h"
#include "pki/tool/authority.h"

enum { CHAIN_MOST = 8 };

struct keyring {
	struct record record;
	gnutls_x509_crt_t chain[CHAIN_MOST];	/* the leaf, its CA ... and at last the root */
	size_t chain_count;
	gnutls_x509_privkey_t key;		/* NULL: not kept here, or on a token */
	struct secret key_pem;			/* PKCS#8 in clear; empty likewise */
};

/* {0} before, wipe in any case. The name is that of a leaf. */
int keyring_open(struct authority *, const char *name, struct keyring *);
/* The chain in PEM, without the root. */
int keyring_chain_pem(const struct keyring *, struct secret *out);
int keyring_root_pem(const struct keyring *, struct secret *out);
void keyring_wipe(struct keyring *);

#endif
