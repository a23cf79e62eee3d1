/*
 * A client of EST (RFC 7030, as RFC 8951 reads it), which asks an authority for a certificate:
 * the first one with an invitation, later ones with the certificate that is to be renewed.
 *
 * The TLS library below HTTP never decides whom to believe.  A first connection, which carries
 * nothing secret, takes what anybody may have: /cacerts, where only a root's key is known the CRLs too, and
 * the chain that the server presents.  pki/ judges that chain: its root, the role server, the URL's
 * host, and revocation.  Every connection after that is for the key of that leaf alone, and
 * only those carry a password or show a certificate.
 *
 *	est = est_new(...)
 *	est_fetch(), est_enroll(), est_reenroll(): one at a time, each answered once
 *	est_free(est)
 *
 *	          +-> CRLS --+
 *	          |          v
 *	IDLE -> LOOK ------> ASK -> IDLE     (once judged, IDLE -> ASK; a failure leads to IDLE)
 *
 * An object belongs to its loop's thread.  Nobody else shares it.
 */
#ifndef ENROL_EST_CLIENT_H
#define ENROL_EST_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"
#include "pki/der.h"

struct est;
struct fetch_proxy;
struct fetcher;
struct spki_pin;
struct trust;

enum {
	EST_SENTENCE = 1024,
	EST_ANSWER_BYTES = 256 << 10, /* of certificates, in base64 */
	EST_CRL_BYTES = 64 << 20,     /* of a bundle of CRLs */
	EST_LATER_MOST_S = 24 * 3600, /* no server sends us away for longer */
};

enum est_outcome {
	EST_DONE,
	/* The authority is busy: ask again, after retry_after_s if that is not 0, which only a server
	 * that was believed can say. */
	EST_LATER,
	EST_REFUSED, /* for good, by a server that was believed, or what it sent cannot be right */
	/* Nobody answers, or nobody who is believed: that may be anybody in between, so it is never for
	 * good. */
	EST_UNREACHABLE,
};

/* Whom to ask, and whom to believe; all of it is copied, or held, but for the proxy, which is borrowed. */
struct est_server {
	const char *url;  /* join_url_parse() takes it */
	const char *dial; /* host:port to connect to instead; NULL: as the URL says */
	const struct fetch_proxy *proxy; /* or NULL */
	/* One of these: who has joined nothing yet knows the key of a root, who renews has CAs and CRLs of
	 * the role server. */
	const struct spki_pin *root;
	struct trust *trust;
};

/* Everything is borrowed until the callback returns. */
struct est_answer {
	enum est_outcome outcome;
	uint64_t retry_after_s;
	const char *sentence; /* what is wrong and what to do; "" when it is done */
	/* EST_DONE: a file's contents, or the certificate for the request's key and its issuers, leaf first,
	 * without the root, in PEM. */
	const struct secret *body;
};

typedef void est_function(void *arg, const struct est_answer *);

/* NULL when memory is short, or the URL is not one.  The fetcher outlives it. */
struct est *est_new(struct fetcher *, const struct est_server *);
/* Cancels what is under way, without a call; NULL is fine, and so is the answer's callback. */
void est_free(struct est *);

/*
 * Each is answered by one call, never inside this one; what is given is borrowed until then.  False
 * when memory is short.  The request is a PKCS#10 in DER; a certificate for another key than its own is
 * not taken for an answer.
 */
bool est_enroll(struct est *, struct der request, const char *user, const char *password,
    est_function *, void *arg);
bool est_reenroll(struct est *, struct der request, const char *certificate_pem,
    const char *key_pem, est_function *, void *arg);
/* A file that the authority publishes, by its path: "/crl/agents.pem". */
bool est_fetch(struct est *, const char *path, size_t most, est_function *, void *arg);

/* Once a server was judged by the key of a root: the root certificates that have it, in PEM; else empty. */
const struct secret *est_roots(const struct est *);

#endif
