/* The words and alerts of verdicts. */
#include "pki/verdict.h"

/* Alerts of RFC 8446, 6.2. */
enum {
	BAD_CERTIFICATE = 42,
	UNSUPPORTED_CERTIFICATE = 43,
	CERTIFICATE_REVOKED = 44,
	CERTIFICATE_EXPIRED = 45,
	CERTIFICATE_UNKNOWN = 46,
	UNKNOWN_CA = 48,
	ACCESS_DENIED = 49,
	INTERNAL_ERROR = 80,
	CERTIFICATE_REQUIRED = 116,
};

static const struct {
	const char *word;
	unsigned alert;
} codes[VERIFY_CODES] = {
	[VERIFY_OK] = { "ok", 0 },
	[VERIFY_NO_CERTIFICATE] = { "certificate-missing", CERTIFICATE_REQUIRED },
	[VERIFY_BAD_CERTIFICATE] = { "bad-certificate", BAD_CERTIFICATE },
	[VERIFY_BAD_CHAIN] = { "bad-chain", BAD_CERTIFICATE },
	[VERIFY_UNKNOWN_CA] = { "unknown-ca", UNKNOWN_CA },
	[VERIFY_WEAK_KEY] = { "weak-key", BAD_CERTIFICATE },
	[VERIFY_EXPIRED] = { "certificate-expired", CERTIFICATE_EXPIRED },
	[VERIFY_NOT_YET_VALID] = { "certificate-not-yet-valid", CERTIFICATE_EXPIRED },
	[VERIFY_WRONG_PURPOSE] = { "wrong-purpose", UNSUPPORTED_CERTIFICATE },
	[VERIFY_GRANT_MISSING] = { "grant-missing", ACCESS_DENIED },
	[VERIFY_GRANT_REFUSED] = { "grant-refused", ACCESS_DENIED },
	[VERIFY_NAME_MISMATCH] = { "name-mismatch", BAD_CERTIFICATE },
	[VERIFY_NAME_NOT_PERMITTED] = { "name-not-permitted", BAD_CERTIFICATE },
	[VERIFY_NO_POLICY] = { "policy-missing", CERTIFICATE_UNKNOWN },
	[VERIFY_REVOKED] = { "certificate-revoked", CERTIFICATE_REVOKED },
	[VERIFY_CRL_MISSING] = { "crl-missing", CERTIFICATE_UNKNOWN },
	[VERIFY_CRL_EXPIRED] = { "crl-expired", CERTIFICATE_UNKNOWN },
	[VERIFY_CRL_REFUSED] = { "crl-refused", CERTIFICATE_UNKNOWN },
	[VERIFY_CLOCK_DOUBTED] = { "clock-doubted", INTERNAL_ERROR },
	[VERIFY_INTERNAL] = { "internal", INTERNAL_ERROR },
};

const char *
verify_code_word(enum verify_code code)
{
	return codes[code].word;
}

const char *
role_word(enum role role)
{
	static const char *const words[ROLES] = { "agent", "relay", "server", "client" };
	return words[role];
}

bool
verdict_set(struct verdict *verdict, enum verify_code code, int position)
{
	verdict->code = code;
	verdict->alert = codes[code].alert;
	verdict->position = position;
	return code == VERIFY_OK;
}
