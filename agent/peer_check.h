/*
 * The judgement of a peer's certificate in a TLS hook: one call into pki, and
 * what is needed afterwards to tell people about it.
 */
#ifndef AGENT_PEER_CHECK_H
#define AGENT_PEER_CHECK_H

#include "pki/identity.h"
#include "pki/verify.h"
#include "tunnel/tls.h"

enum { PEER_CHECK_NAME = 256 };

struct peer_check {
	/* The question; borrowed. */
	struct trust *trust;
	enum role role;
	const char *host;	/* whom the certificate must name; NULL: nobody */
	bool is_optional;	/* none is fine too */
	/* The answer. */
	struct identity *identity;	/* owned, NULL if there is none */
	bool has_refused;
	struct verdict verdict;		/* of the refusal */
	char subject[PEER_CHECK_NAME],
	    issuer[PEER_CHECK_NAME]; /* of what was presented and refused */
	char fingerprint[65];
};

/* Fits tls_hooks.judge; arg is a struct peer_check. */
unsigned peer_check_chain(void *arg, const struct tls_certificate *chain, size_t count);
/* Releases the identity. */
void peer_check_wipe(struct peer_check *);

#endif
