/*
 * The certificate that answers a challenge (RFC 8737, 3): of a fresh key, signed by that key itself, for
 * one name, with a critical acmeIdentifier that holds the digest.  It proves nothing to anybody but the
 * server that has asked for the digest, and its key leaves this process as little as it entered it:
 * nothing else is signed here, and with nothing else.
 */
#ifndef AGENT_CHALLENGE_CERTIFICATE_H
#define AGENT_CHALLENGE_CERTIFICATE_H

#include <stdint.h>

struct tls_config;

/* Of ALPN; servers offer nothing else. */
#define CHALLENGE_PROTOCOL "acme-tls/1"

enum {
	CHALLENGE_DIGEST = 32, /* SHA-256 of the key authorization (RFC 8555, 8.1) */
	CHALLENGE_ERROR = 640,
};

/* To answer with, for CHALLENGE_PROTOCOL only; tls_config_release() it.  NULL with a sentence. */
struct tls_config *challenge_certificate_new(
    const char *name, const uint8_t digest[CHALLENGE_DIGEST], char error[CHALLENGE_ERROR]);

#endif
