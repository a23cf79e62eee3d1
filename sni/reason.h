/*
 * Internal to the parser: why a stream is refused.  The words are part of the
 * interface (logs, valise-sni, tests): add, but do not rename.
 */
#ifndef SNI_REASON_H
#define SNI_REASON_H

#include <stdint.h>

enum reason {
	FINE,
	NOT_HANDSHAKE,
	NOT_TLS_VERSION,
	RECORD_TYPE,
	RECORD_VERSION,
	RECORD_EMPTY,
	RECORD_TOO_LARGE,
	NOT_CLIENT_HELLO,
	HELLO_TOO_LARGE,
	BYTES_BEHIND_HELLO,
	BAD_SESSION_ID,
	BAD_CIPHER_SUITES,
	BAD_COMPRESSION_METHODS,
	BAD_EXTENSION_BLOCK,
	TOO_MANY_EXTENSIONS,
	DUPLICATE_EXTENSION,
	PRE_SHARED_KEY_NOT_LAST,
	BAD_SERVER_NAME,
	DUPLICATE_SERVER_NAME,
	NOT_A_HOST_NAME,
	BAD_ALPN,
	BAD_SUPPORTED_VERSIONS,
	BAD_KEY_SHARE,
	BAD_SIGNATURE_ALGORITHMS,
	BAD_EXTENSION_BODY,
	EMPTY_KEY_SHARE,
	RECORD_SIZE_LIMIT_TOO_SMALL,
	RENEGOTIATION,
	REASONS
};

const char *reason_word(enum reason reason);
uint8_t reason_alert(enum reason reason); /* 0 for those of not-tls */

#endif
