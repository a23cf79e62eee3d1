/*
 * Judges a peer's certificate from a TLS hook, and keeps what is needed later
 * to tell people about it.
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
	const char *host; /* the certificate must be for this name; NULL: for any */
	bool is_optional; /* the peer may show no certificate */
	/* The answer. */
	struct identity *identity; /* owned; NULL if there is none */
	bool has_refused;
	struct verdict verdict; /* of the refusal */
	/* Of the certificate that was presented and refused. */
	char subject[PEER_CHECK_NAME], issuer[PEER_CHECK_NAME];
	char fingerprint[65];
};

/* Fits tls_hooks.judge; arg is the struct peer_check. */
unsigned peer_check_chain(void *arg, const struct tls_certificate *chain, size_t count);
/* Releases the identity. */
void peer_check_wipe(struct peer_check *);

#endif
