/*
 * PKCS#12 (RFC 7292), by GnuTLS: AES-256 with an HMAC of SHA-256, or the 3DES and
 * SHA-1 that Apple's keychains still want.
 */
#ifndef PKI_TOOL_P12_H
#define PKI_TOOL_P12_H

#include <stdbool.h>

#include "pki/tool/identity_bundle.h"

/* Key and chain, the root included. */
int p12_encode(
    const struct identity_bundle *, const char *passphrase, bool legacy, struct secret *out);

#endif
