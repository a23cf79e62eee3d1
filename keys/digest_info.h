/*
 * The DigestInfo of PKCS #1 (RFC 8017, 9.2): as what GnuTLS has an RSA key of another's sign a
 * digest.  It is taken apart, so that no more than a digest is ever sent to who has the key.
 */
#ifndef KEYS_DIGEST_INFO_H
#define KEYS_DIGEST_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct digest_info {
	uint32_t algorithm;    /* gnutls_sign_algorithm_t: RSA with this digest */
	const uint8_t *digest; /* within the input */
	size_t bytes;
};

/* Of SHA-256, SHA-384 and SHA-512, in their one encoding in DER; false for all else. */
bool digest_info_read(struct digest_info *, const uint8_t *der, size_t bytes);

#endif
