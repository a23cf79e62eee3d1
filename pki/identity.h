/*
 * Who a verified peer is: an immutable, counted value made by verify_chain(), held
 * by its session, channels and flows on any thread.  It keeps what is needed to
 * judge it again without the certificates: every issuer and serial of its chain.
 */
#ifndef PKI_IDENTITY_H
#define PKI_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pki/der.h"
#include "pki/grant.h"

struct sockaddr;
struct identity;

enum { IDENTITY_KEY_BYTES = 32, IDENTITY_FINGERPRINT = 65, IDENTITY_ISSUER_KEY = 17 };

struct identity *identity_hold(struct identity *);
void identity_release(struct identity *);

/* The effective grant; NULL for every role but agent.  Ask it, never copy it as a whole: it has room
 * for the sources and regions that it lists and not more. */
const struct grant *identity_grant(const struct identity *);
/* The grant's name; for other roles the subject. */
const char *identity_name(const struct identity *);
/* IDENTITY_KEY_BYTES bytes, equal for two certificates of one identity: SHA-256 over
 * SHA-256 of the issuer's SPKI and the name. */
const uint8_t *identity_key(const struct identity *);
/* The earliest notAfter of the chain, seconds since 1970. */
int64_t identity_not_after(const struct identity *);
/* The leaf's subject and issuer (RFC 4514), its serial and SHA-256, in hexadecimal. */
const char *identity_subject(const struct identity *);
const char *identity_issuer(const struct identity *);
const char *identity_serial(const struct identity *);
const char *identity_fingerprint(const struct identity *);

/* Two CAs may have one name: the first 8 octets of SHA-256 of the issuer's SPKI, in hexadecimal. */
const char *identity_issuer_key(const struct identity *);

/*
 * Whom the numbers of a grant bound, one level after the other: level 0 is the agent itself, then come
 * the CAs of its chain, the issuer first and the anchor last.  A CA's numbers hold for all that is
 * below it together.
 */
enum { IDENTITY_LEVELS_MOST = 16, IDENTITY_LEVEL_NAME = 128 };

struct identity_level {
	/* IDENTITY_KEY_BYTES: identity_key(), or SHA-256 of the CA's SPKI, whatever the CA is called. */
	const uint8_t *key;
	bool has_grant;                   /* a CA without one sets no ceiling */
	uint32_t max_flows, max_sessions; /* of its own certificate; 0 = it has no such number */
};

/* False behind the last level. */
bool identity_level(const struct identity *, size_t level, struct identity_level *out);
/* The grant's name, or the CA's subject (RFC 4514), cut to fit; returns out. */
const char *identity_level_name(
    const struct identity *, size_t level, char out[IDENTITY_LEVEL_NAME]);

/*
 * For rules on certificates.  SHA-256 of the SPKI, IDENTITY_KEY_BYTES: of the leaf at level 0, then of
 * its issuer, and of the anchor last; NULL behind it.
 */
const uint8_t *identity_spki(const struct identity *, size_t level);
const struct serial *identity_serial_number(const struct identity *);
/* The leaf's subject (Name, read by pki/attribute.h) and the contents of its GeneralNames (read by
 * x509_next_name()), as they stand there, with any bytes at all.  Kept of clients, empty for others. */
struct der identity_subject_name(const struct identity *);
struct der identity_alternative_names(const struct identity *);

/* The leaf's dNSName SANs, normalised; NULL behind the last. */
const char *identity_san(const struct identity *, size_t index);

enum cover { COVER_NONE, COVER_WILDCARD, COVER_EXACT };

/* Whether a SAN covers this name or `*.` pattern, normalised by sni/name.h: an exact
 * SAN for that very name or pattern; a `*.x` SAN for one-label names under x, and for any
 * deeper name or pattern if the grant says anyDepth.  *.x for *.x is COVER_EXACT.  *san (may be
 * NULL) is the best one. All SANs are within every CA's name constraints, or there were no identity. */
enum cover identity_covers(const struct identity *, const char *pattern, const char **san);

/* Whether the grant's sources allow this address (IPv4-mapped counts as IPv4);
 * true if the grant has none. */
bool identity_allows_source(const struct identity *, const struct sockaddr *);
/* Whether the grant's regions allow this one; true if the grant has none. */
bool identity_allows_region(const struct identity *, const char *region);

#endif
