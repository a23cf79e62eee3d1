/*
 * Facts about a certificate file of one's own, for `check`, `keygen` and messages; no
 * trust is involved here, see pki/verify.h for that.
 */
#ifndef PKI_CERT_H
#define PKI_CERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"
#include "pki/grant.h"
#include "pki/spki_pin.h"

enum { CERT_ERROR = 512, CERT_REFUSED = 192 };

struct cert_facts {
	char *subject, *issuer;        /* RFC 4514 */
	char serial[64];               /* hexadecimal */
	int64_t not_before, not_after; /* seconds since 1970 */
	char **sans;                   /* dNSName, as they stand there, hostile bytes as `?` */
	size_t san_count;
	struct spki_pin key;  /* SHA-256 of its public key */
	char fingerprint[65]; /* SHA-256 of the DER, hexadecimal */
	char key_type[16];    /* "ecdsa", "rsa", "ed25519" ... */
	unsigned bits;
	bool has_purposes, is_ca, server, client, agent; /* what it may be used for */
	bool has_grant;
	struct grant grant;
	size_t chain_count; /* certificates in the file, this one included */
	/* Why the other side refuses it, whatever it is for: a weak key, a weak signature in its chain, an
	 * issuer that is missing behind it.  Reads after the file's name; empty if nothing is known. */
	char refused[CERT_REFUSED];
};

/* The first certificate of a PEM (or DER) file.  False with a sentence; wipe in any case. */
bool cert_load(struct cert_facts *, const char *path, char error[CERT_ERROR]);
/* The same of a file's contents; path is for the sentence. */
bool cert_read(
    struct cert_facts *, const struct secret *contents, const char *path, char error[CERT_ERROR]);
void cert_wipe(struct cert_facts *);

/* Whether a certificate (DER) is for this host, a name or an address, by its SANs (RFC 9525).  False also
 * for what cannot be read. */
bool cert_is_for(const uint8_t *der, size_t bytes, const char *host);

/* Whether who has shown this chain (PEM, its own first; NULL: none) may be a server.  libcurl takes the
 * certificates of agents and clients, which are often of the same CAs, for a server's.  If not: what to say
 * of it. */
bool cert_may_serve(const char *chain);
extern const char cert_may_not_serve[];

/* Whether it begins later than the clock says: then with a sentence that has both times. */
bool cert_is_early(
    const struct cert_facts *, const char *path, int64_t now, char sentence[CERT_ERROR]);

/* In the last third of its life, and within 30 days. */
bool cert_ends_soon(const struct cert_facts *, int64_t now);

/* Whether a SAN of it covers this normalised name (exact, or `*.` for one label). */
bool cert_covers(const struct cert_facts *, const char *name);

#endif
