/* The word and the alert of each refusal. */
#include "sni/reason.h"

enum {
	ALERT_UNEXPECTED_MESSAGE = 10,
	ALERT_RECORD_OVERFLOW = 22,
	ALERT_HANDSHAKE_FAILURE = 40,
	ALERT_ILLEGAL_PARAMETER = 47,
	ALERT_DECODE_ERROR = 50,
	ALERT_PROTOCOL_VERSION = 70,
	ALERT_UNSUPPORTED_EXTENSION = 110,
};

/* The alerts are those that GnuTLS sends for the same thing, where it does. */
static const struct {
	const char *word;
	uint8_t alert;
} reason_says[REASONS] = {
	[FINE] = { "", 0 },
	[NOT_HANDSHAKE] = { "not-handshake", 0 },
	[NOT_TLS_VERSION] = { "not-tls-version", 0 },
	[RECORD_TYPE] = { "record-type", ALERT_UNEXPECTED_MESSAGE },
	[RECORD_VERSION] = { "record-version", ALERT_PROTOCOL_VERSION },
	[RECORD_EMPTY] = { "record-empty", ALERT_UNEXPECTED_MESSAGE },
	[RECORD_TOO_LARGE] = { "record-too-large", ALERT_RECORD_OVERFLOW },
	[NOT_CLIENT_HELLO] = { "not-client-hello", ALERT_UNEXPECTED_MESSAGE },
	[HELLO_TOO_LARGE] = { "hello-too-large", ALERT_ILLEGAL_PARAMETER },
	[BYTES_BEHIND_HELLO] = { "bytes-behind-hello", ALERT_UNEXPECTED_MESSAGE },
	[BAD_SESSION_ID] = { "bad-session-id", ALERT_DECODE_ERROR },
	[BAD_CIPHER_SUITES] = { "bad-cipher-suites", ALERT_DECODE_ERROR },
	[BAD_COMPRESSION_METHODS] = { "bad-compression-methods", ALERT_DECODE_ERROR },
	[BAD_EXTENSION_BLOCK] = { "bad-extension-block", ALERT_DECODE_ERROR },
	[TOO_MANY_EXTENSIONS] = { "too-many-extensions", ALERT_ILLEGAL_PARAMETER },
	[DUPLICATE_EXTENSION] = { "duplicate-extension", ALERT_UNSUPPORTED_EXTENSION },
	[PRE_SHARED_KEY_NOT_LAST] = { "pre-shared-key-not-last", ALERT_ILLEGAL_PARAMETER },
	[BAD_SERVER_NAME] = { "bad-server-name", ALERT_DECODE_ERROR },
	[DUPLICATE_SERVER_NAME] = { "duplicate-server-name", ALERT_ILLEGAL_PARAMETER },
	[NOT_A_HOST_NAME] = { "not-a-host-name", ALERT_ILLEGAL_PARAMETER },
	[BAD_ALPN] = { "bad-alpn", ALERT_DECODE_ERROR },
	[BAD_SUPPORTED_VERSIONS] = { "bad-supported-versions", ALERT_DECODE_ERROR },
	[BAD_KEY_SHARE] = { "bad-key-share", ALERT_DECODE_ERROR },
	[BAD_SIGNATURE_ALGORITHMS] = { "bad-signature-algorithms", ALERT_DECODE_ERROR },
	[BAD_EXTENSION_BODY] = { "bad-extension-body", ALERT_DECODE_ERROR },
	[EMPTY_KEY_SHARE] = { "empty-key-share", ALERT_ILLEGAL_PARAMETER },
	[RECORD_SIZE_LIMIT_TOO_SMALL] = { "record-size-limit-too-small", ALERT_ILLEGAL_PARAMETER },
	[RENEGOTIATION] = { "renegotiation", ALERT_HANDSHAKE_FAILURE },
};

const char *
reason_word(enum reason reason)
{
	return reason_says[reason].word;
}

uint8_t
reason_alert(enum reason reason)
{
	return reason_says[reason].alert;
}
