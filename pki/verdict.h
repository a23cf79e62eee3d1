/*
 * What the verifier answers: the roles that a certificate may be presented in, and
 * the verdict on a chain.  Plain values, used by everybody who judges.
 */
#ifndef PKI_VERDICT_H
#define PKI_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

enum role {
	ROLE_AGENT,  /* an agent, to a relay */
	ROLE_RELAY,  /* a relay's connect name, to an agent */
	ROLE_SERVER, /* an upstream's or an endpoint's server certificate */
	ROLE_CLIENT, /* an end client, to an agent that terminates */
	ROLES
};

const char *role_word(enum role); /* "agent" ... */

enum verify_code {
	VERIFY_OK,
	VERIFY_NO_CERTIFICATE,
	VERIFY_BAD_CERTIFICATE, /* malformed, unknown critical extension, bad signature */
	VERIFY_BAD_CHAIN,       /* an issuer that is not a CA, path length, too long */
	VERIFY_UNKNOWN_CA,
	VERIFY_WEAK_KEY,
	VERIFY_EXPIRED,
	VERIFY_NOT_YET_VALID,
	VERIFY_WRONG_PURPOSE,
	VERIFY_GRANT_MISSING,
	VERIFY_GRANT_REFUSED,
	VERIFY_NAME_MISMATCH,
	VERIFY_NAME_NOT_PERMITTED,
	VERIFY_NO_POLICY, /* a CA demands a certificate policy, and the chain has none */
	VERIFY_REVOKED,
	VERIFY_CRL_MISSING,
	VERIFY_CRL_EXPIRED,
	VERIFY_CRL_REFUSED,
	VERIFY_CLOCK_DOUBTED, /* our own clock cannot be right, so nothing can be judged */
	VERIFY_INTERNAL,      /* memory */
	VERIFY_CODES
};

/* The stable word for logs and frames: "certificate-expired", "unknown-ca" ... */
const char *verify_code_word(enum verify_code);

enum {
	VERDICT_SENTENCE = 512,
	VERIFY_CHAIN = 10, /* certificates looked at of a peer's chain */
};

struct verdict {
	enum verify_code code;
	unsigned alert; /* the TLS alert to send; 0 if ok */
	int position;   /* the certificate at fault: 0 the leaf, 1 its issuer ...; -1 none */
	/* A listed root vouches for the certificate by right signatures, so it is whose it says, whatever
	 * else is wrong with it.  It says nothing about who presents it: TLS 1.3 proves that before the
	 * chain is judged, TLS 1.2 after. */
	bool is_vouched;
	/* If it is vouched for, who answers for it (not 0): the topmost CA with a grant, since its tenant can
	 * have as many certificates made below it as he likes; else the certificate, by issuer and serial. */
	uint64_t party;
	/* Which certificate, what is wrong, the cure; hostile bytes are escaped. */
	char sentence[VERDICT_SENTENCE];
};

/* Sets code, alert and position, and leaves the sentence; true if the code is VERIFY_OK. */
bool verdict_set(struct verdict *, enum verify_code, int position);

#endif
