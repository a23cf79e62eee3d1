/*
 * Whom to believe: the CA certificates and CRLs of one configuration key pair
 * (`*_cas`, `*_crls`), loaded from files, judged as a whole and never changed
 * again.  A reload makes a new one and swaps; whoever still judges by the old
 * one keeps it with a reference.
 *
 * Roots (self-signed CA certificates) are the only anchors.  A sub-CA listed
 * beside its root narrows that root: a chain to it must pass through a listed
 * sub-CA, the lowest where one is listed below another.  A sub-CA whose root is not
 * listed is an error.  A root that is whole but odd is passed over with a warning.
 * Intermediates that are not listed come from the peer.
 *
 * CRLs come from files, and from what was fetched of URLs (crl_store.h).  The latter never keep a set from
 * being loaded: a file of them that is absent is none, and one that is bad is passed over.
 *
 * The newest CRL of an issuer counts, over all files that the daemon was given (crl_catalogue.h); older
 * ones are no fault.
 *
 * A CRL is accepted if it is signed by a CA that may sign CRLs and that chains to
 * a root, is not from the future, and does not go back behind the one held
 * before (see state_dir).  A CRL whose issuer is not listed waits until a peer sends
 * that issuer's certificate.  GnuTLS never sees a CRL.
 *
 *	trust_load -> trust_hold / trust_release from any thread
 *	every second: trust_files_changed -> trust_load(previous) -> swap
 */
#ifndef PKI_TRUST_H
#define PKI_TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pki/der.h"
#include "pki/verdict.h"
#include "pki/trust_sources.h"

struct trust;

enum { TRUST_ERROR = 512 };

/* `previous` (may be NULL) is the one in force, hands on the CRL numbers seen and the
 * revocations found, and stays the caller's.  Without it: all or nothing.  With it a CRL file that it was
 * made from, too, and that is refused now keeps the CRLs that it had, and a CRL that is older than the one
 * in force leaves that where it is; all else is taken, so that nobody who writes one of several CRL files
 * can hold off what the others revoke.  Tell trust_refusals() then.  NULL with one sentence in error: what,
 * which file, what to do. */
struct trust *trust_load(
    const struct trust_sources *, const struct trust *previous, char *error, size_t error_bytes);

/* How many CRL files and CRLs were refused, so that those of before are in force, and a sentence about
 * them, or NULL.  Load again when the files have changed, and every few seconds, since it may be the
 * clock; as long as that leaves as many, the one in force is as good.  No trust: none. */
size_t trust_refusals(const struct trust *, const char **sentence);

/*
 * NULL, or why this trust believes nobody: by the clock a CRL is from the future, or a CRL
 * was in force before that is.  "... is the clock right?"  Given only to who waits for the clock
 * (trust_sources), or whose previous trust was one like this.  Load again every few seconds.
 */
const char *trust_doubt(const struct trust *);

struct trust *trust_hold(struct trust *);
void trust_release(struct trust *);

/* What `check`, the start and a reload should tell at level warning: a CRL past its
 * nextUpdate or soon there, an issuer without a CRL, an expired CA, no CRLs configured ...
 * One sentence each, until NULL. */
const char *trust_warning(const struct trust *, size_t index);

/* As time goes by, once a day say: a sentence about the CRL that ends first, if it has ended or is in
 * the last third of its life; else NULL. */
const char *trust_crl_warning(const struct trust *, int64_t now, char sentence[TRUST_ERROR]);

/* Each CA that is listed and each CRL, with the time that it holds for; the name is borrowed for the call. */
struct trust_end {
	bool is_crl;
	const char *name; /* the CA's, or that of the CRL's issuer (RFC 4514), cut */
	int64_t begins_s, ends_s;
};
void trust_each_end(
    const struct trust *, void (*take)(void *arg, const struct trust_end *), void *arg);

/* Whether what it judges by lasts: SOON where a CRL is in the last third of its life or in its grace,
 * ENDED where one is past that, so that those whom it is about are refused, or where a listed CA has
 * ended; LACKS where a listed CA needs a CRL, has none, and no URL will bring it. */
enum trust_outlook { TRUST_LASTS, TRUST_ENDS_SOON, TRUST_HAS_ENDED, TRUST_LACKS };
enum trust_outlook trust_outlook(const struct trust *);

/* Puts the revocations that were found since the last time into state_dir (of the sources), so that a
 * restart does not forget those that a later CRL drops; cheap if there were none.  Call it every
 * second and before the end, where waiting for a disk harms nobody.  False with a sentence. */
bool trust_keep_revoked(struct trust *, char error[TRUST_ERROR]);

/* The certificate of a listed CA below which a chain is accepted, index below trust_ca_count(); empty:
 * this one is narrowed by another.  Borrowed from the trust. */
struct der trust_accepted_ca(const struct trust *, size_t index);

/* Whether some of these CAs could issue for this role.  False where all of them restrict themselves to
 * others, so that the file is probably another one's; with a sentence that names the first. */
bool trust_fits(const struct trust *, enum role, char sentence[TRUST_ERROR]);

/* Whether a CRL waits for an issuer who is not listed; the name of the first goes to `issuer`. */
bool trust_stranger(const struct trust *, char *issuer, size_t issuer_bytes);

/* Facts for `check`. */
size_t trust_ca_count(const struct trust *);
size_t trust_crl_count(const struct trust *);
/* The earliest nextUpdate of all CRLs; INT64_MAX without any. */
int64_t trust_next_update(const struct trust *);

/* The state of all files of one set, to see cheaply (one stat each) that they
 * changed.  A plain value; {0} has seen nothing, so the first question says yes. */
struct trust_stamp {
	uint8_t digest[32];
};

/* Whether other files of the daemon have a newer CRL of an issuer of this trust, so that it should be
 * loaded again. */
bool trust_is_behind(const struct trust *, const struct crl_catalogue *, int64_t now);

/* True once for every state of the files that differs from the one in *seen,
 * which is updated.  Ask before loading: a change during the load is seen next time. */
bool trust_files_changed(const struct trust_sources *, struct trust_stamp *seen);

#endif
