/*
 * The "certs-only" messages in which EST hands certificates over (RFC 7030, 4.1.3 and
 * 4.2.3): SignedData of CMS without content, signers and CRLs, whose eContentType is
 * id-data.  Only what is a certificate by its outermost tag counts; whether it is one,
 * and whether it is believed, is for whoever takes it.
 *
 * The certificates stand in a SET, so that their order means nothing: the one that was
 * issued is known by its key, see certs_only_chain().
 */
#ifndef PKI_CERTS_ONLY_H
#define PKI_CERTS_ONLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"
#include "pki/der.h"

enum {
	CERTS_ONLY_MOST = 64,          /* certificates in one message */
	CERTS_ONLY_BYTES = 512 * 1024, /* of one message */
};

struct certs_only {
	struct secret message; /* owned; what the certificates alias */
	size_t count;
	struct der certificates[CERTS_ONLY_MOST];
};

/* The message in DER, owned by the caller.  False where there are too many, or memory is short. */
bool certs_only_encode(const struct der *certificates, size_t count, struct secret *out);

/* Copies.  False with the reason in *why, a constant that reads after "the message ".  Wipe in any
 * case; {0} is empty. */
bool certs_only_decode(struct certs_only *, struct der message, const char **why);
void certs_only_wipe(struct certs_only *);

/* The certificate for this key (SubjectPublicKeyInfo) and behind it its issuers, as far as they are in
 * one of the two sets, without the root; `others` (NULL: none) are what else is at hand, such as the
 * answer to cacerts.  Returns how many were put into chain[], 0 if none is for the key.  Borrowed from
 * the sets.  Names and key identifiers link them, signatures are not looked at. */
size_t certs_only_chain(const struct certs_only *, const struct certs_only *others, struct der spki,
    struct der *chain, size_t most);

#endif
