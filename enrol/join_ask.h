/*
 * The conversation of a host that joins: what it needs to judge others by is fetched and judged
 * first, and only then is the invitation used, so that nothing that fails uses it up.
 *
 * It has a loop and threads of its own while it lasts.
 */
#ifndef ENROL_JOIN_ASK_H
#define ENROL_JOIN_ASK_H

#include <stdbool.h>

#include "base/secret.h"
#include "enrol/est_client.h"
#include "pki/join_line.h"
#include "pki/verdict.h"

struct fetch_proxy;

enum { JOIN_PATH = 64 };

struct join_request {
	const struct join_line *line;
	const char *dial; /* where to connect instead of where the URL says, or NULL */
	const struct fetch_proxy *proxy; /* or NULL */
	const char *peers;               /* whose CAs and CRLs it judges by: "relays" */
	enum role role;                  /* of the certificate */
	const struct secret *csr;        /* PKCS#10 in DER */
	/* Asked before the invitation is used: whether there is a place for these CAs.  False with a
	 * sentence. */
	bool (*may_use)(void *arg, const struct secret *peer_cas, const struct secret *server_cas,
	    char sentence[EST_SENTENCE]);
	void *arg;
};

/* What came, all in PEM and all of it judged: CAs and CRLs for `peers` and for servers, and the certificate
 * with its issuers.  {0} is empty. */
struct join_gain {
	struct secret peer_cas, peer_crls, server_cas, server_crls, chain;
};

/* Where the authority publishes these CRLs: "/crl/relays.pem"; returns out. */
const char *join_ask_crl_path(const char *whose, char out[JOIN_PATH]);

/* 0, or with a sentence 69 unreachable or not believed, 71 the system, 75 not now, 76 what came is wrong,
 * 77 refused, or what may_use() said as 73; wipe in any case. */
int join_ask(const struct join_request *, struct join_gain *, char sentence[EST_SENTENCE]);
void join_gain_wipe(struct join_gain *);

#endif
