/*
 * The one place where certificates are made.  Everything that a verifier wants
 * is set on each of them: version 3, basicConstraints, keyUsage, extendedKeyUsage, subject and
 * authority key identifiers; permitted names only, never excluded ones (GnuTLS,
 * OpenSSL and Go all let a wildcard SAN slip past an excluded subtree).
 */
#ifndef PKI_TOOL_MINT_H
#define PKI_TOOL_MINT_H

#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pki/tool/names.h"

enum { MINT_SERIAL = 16 };

struct mint {
	const char *common_name, *organisation; /* organisation may be NULL */
	uint8_t serial[MINT_SERIAL];
	int64_t not_before, not_after;
	const char *const *purposes; /* OIDs, NULL behind the last; NULL: no extendedKeyUsage */
	bool is_ca;
	int path_length;           /* of a CA; -1: unlimited */
	const struct names *names; /* of a leaf */
	/* of a CA: permitted DNS subtrees; NULL or empty: no constraint */
	const struct texts *permits;
	const uint8_t *grant; /* DER; NULL: none */
	size_t grant_bytes;
};

/* 16 random bytes, the first of 1..127: positive, and 16 bytes in DER too. */
void mint_serial(uint8_t serial[MINT_SERIAL]);
/* issuer NULL: self-signed. The DER is to be freed with gnutls_free(). */
int mint_certificate(const struct mint *, gnutls_pubkey_t subject_key, gnutls_x509_crt_t issuer,
    gnutls_privkey_t issuer_key, gnutls_datum_t *der);

#endif
