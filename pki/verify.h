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
 * must not be a server; client, relay and server refuse the agent purpose and the grant, the
 * grant in any CA too.  All roles need the extended key usage in the leaf; a CA that has one
 * must list the same purposes; anyExtendedKeyUsage counts for nothing.  No certificate policy is
 * asked for here, but a CA's demand for one is obeyed (pki/policy.h).
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
#include "pki/verdict.h"

struct trust;

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
