/*
 * Judges the certificate that a tls:// upstream shows, from a TLS hook: issuer, name, dates and CRLs
 * unless it was told not to, and whether its key is one of those pinned.
 */
#ifndef AGENT_UPSTREAM_JUDGE_H
#define AGENT_UPSTREAM_JUDGE_H

#include "agent/peer_check.h"
#include "pki/spki_pin.h"

struct upstream;

enum { UPSTREAM_REFUSAL = VERDICT_SENTENCE };

struct upstream_judge {
	const struct upstream *upstream; /* borrowed */
	struct peer_check chain;
	bool has_key; /* a certificate was shown, and this is its key; the handshake proves it */
	struct spki_pin key;
	char refusal[UPSTREAM_REFUSAL]; /* why it was refused; "" if it was not */
};

/* Of {0}; target is the index of the one that is dialled. */
void upstream_judge_init(struct upstream_judge *, const struct upstream *, unsigned target);
/* Fits tls_hooks.judge; arg is the struct upstream_judge. */
unsigned upstream_judge_chain(void *arg, const struct tls_certificate *chain, size_t count);
/* Whether it is one of those pinned, or any will do. */
bool upstream_judge_takes(const struct upstream *, const struct spki_pin *);
/* Harmless twice and on {0}. */
void upstream_judge_wipe(struct upstream_judge *);

#endif
