/*
 * The files that others read, all of them made from the inventory: each CA's
 * certificate and CRL, the bundles of each role, and the leaves' chains.
 * Called inside a change; the files appear when it is committed.
 */
#ifndef PKI_TOOL_PUBLISH_H
#define PKI_TOOL_PUBLISH_H

#include "pki/tool/signer.h"

/* Where the files go: into the store, or to a comparison with what is there. */
struct publish_output {
	int (*take)(void *arg, const char *path, const void *data, size_t bytes);
	void *arg;
};

/* A new CRL of this CA, with the next number: crls/NAME.crl. seconds 0: valid as long as
 * the last one. */
int publish_crl(struct store *, struct signer *, int64_t seconds, int64_t now);
/* A CRL of this CA as it is, with the facts that *ca says of it: crls/NAME.crl. */
int publish_given_crl(struct store *, const struct ca *, const gnutls_datum_t *der);
/* cas/NAME.crt, and root.crt for the root. */
int publish_ca(struct store *, const struct ca *);
/* ROLE-ca.crt and ROLE.crl, and SUB-ca.crt and SUB.crl for a sub-CA of it; role "root":
 * all of them. */
int publish_bundles(struct store *, const char *role);
/* issued/NAME.crt: the leaf and every CA up to, but not, the root. */
int publish_leaf(struct store *, const struct record *);

/* Gives every file that should be there, with the contents that it should have, to the output;
 * the store is not changed. */
int publish_expect(struct store *, const struct publish_output *);

#endif
