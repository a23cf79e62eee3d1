/*
 * The verifier that relay and agent share: builds the chain, and judges signature,
 * times, key strength, CA flags and path length, purpose, names within every CA's
 * constraints, the grant, and revocation by our own CRL reader.
 *
 *	identity = verify_chain(trust, ROLE_AGENT, chain, count, NULL, now, &verdict);
 *	after each change of trust, and at will:
 *	    identity_judge_again(identity, trust, now, &verdict) or end what it holds
 *
 * Roles exclude each other: an agent needs the agent purpose, clientAuth and a grant, and
 * is no server; client, relay and server refuse both, the grant in any CA too.  All need the extended key usage in the
 * leaf; a CA that has one must list the same purposes; anyExtendedKeyUsage counts for nothing.
 *
 * All functions may be called from any thread.
 */
#ifndef PKI_VERIFY_H
#define PKI_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pki/der.h"
#include "pki/identity.h"

struct trust;

enum role {
	ROLE_AGENT,	/* an agent, to a relay */
	ROLE_RELAY,	/* a relay's connect name, to an agent */
	ROLE_SERVER,	/* an upstream's or an endpoint's server certificate */
	ROLE_CLIENT,	/* an end client, to an agent that terminates */
	ROLES
};

const char *role_word(enum role);	/* "agent" ... */

enum verify_code {
	VERIFY_OK,
	VERIFY_NO_CERTIFICATE,
	VERIFY_BAD_CERTIFICATE,		/* malformed, unknown critical extension, bad signature */
	VERIFY_BAD_CHAIN,		/* an issuer that is no CA, path length, too long */
	VERIFY_UNKNOWN_CA,
	VERIFY_WEAK_KEY,
	VERIFY_EXPIRED,
	VERIFY_NOT_YET_VALID,
	VERIFY_WRONG_PURPOSE,
	VERIFY_GRANT_MISSING,
	VERIFY_GRANT_REFUSED,
	VERIFY_NAME_MISMATCH,
	VERIFY_NAME_NOT_PERMITTED,
	VERIFY_REVOKED,
	VERIFY_CRL_MISSING,
	VERIFY_CRL_EXPIRED,
	VERIFY_CRL_REFUSED,
	VERIFY_INTERNAL,		/* memory */
	VERIFY_CODES
};

/* The stable word for logs and frames: "certificate-expired", "unknown-ca" ... */
const char *verify_code_word(enum verify_code);

enum { VERDICT_SENTENCE = 512 };

struct verdict {
	enum verify_code code;
	unsigned alert;			/* the TLS alert to send; 0 if ok */
	int position;			/* the certificate at fault: 0 the leaf, 1 its issuer ...; -1 none */
	char sentence[VERDICT_SENTENCE];	/* which certificate, what is wrong, the cure; hostile bytes escaped */
};

enum { VERIFY_CHAIN = 10 };	/* certificates looked at of a peer's chain */

/*
 * Judges a peer's chain, leaf first, the rest in any order and with or without the
 * root.  host (not normalised; NULL: do not ask) is the name or address that was dialled,
 * for ROLE_RELAY and ROLE_SERVER.  NULL with the verdict filled in, or a reference to the
 * identity.  verdict may be NULL.
 */
struct identity *verify_chain(struct trust *, enum role, const struct der *chain, size_t count,
	const char *host, int64_t now, struct verdict *);

/*
 * O(chain * log n), for a sweep over everything held: are all certificates unrevoked by
 * this trust, the CRLs that it demands there and fresh, the anchor and the listed
 * sub-CA still listed, the time not over?  Once found revoked (but for a hold) a
 * serial stays revoked until its notAfter, also if the CRL drops it.
 */
bool identity_judge_again(const struct identity *, struct trust *, int64_t now, struct verdict *);

#endif
