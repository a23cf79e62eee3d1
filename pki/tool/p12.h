/*
 * PKCS#12 files (RFC 7292) of an identity bundle: key and chain, the root included.
 *
 * They are made here, as GnuTLS knows one number of rounds only, and whoever opens the file pays
 * for it three times: for the MAC, the certificates and the key.  AES-256-CBC, and PBKDF2 and
 * HMAC with SHA-256; the MAC's key comes from the derivation of RFC 7292 itself (appendix B).
 */
#ifndef PKI_TOOL_P12_H
#define PKI_TOOL_P12_H

#include "pki/tool/identity_bundle.h"

enum {
	P12_ROUNDS = 600000, /* at least, where a person has thought of the passphrase */
	/* For 100 random bits, which no number of rounds makes harder to guess. */
	P12_ROUNDS_GENERATED = 100000,
	P12_ROUNDS_LEAST = 1000,
	P12_ROUNDS_MOST = 10000000,
};

/* The passphrase is UTF-8. */
int p12_encode(
    const struct identity_bundle *, const char *passphrase, uint32_t rounds, struct secret *out);
/* 3DES and SHA-1, for programs that know nothing else. */
int p12_encode_legacy(const struct identity_bundle *, const char *passphrase, struct secret *out);

#endif
