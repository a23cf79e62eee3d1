/*
 * The certificates that an endpoint shows, each with its key, and the choice among them:
 * by the name that the client asks for, and by the types of key that it can verify.
 * Immutable once loaded; they live inside their endpoint.
 */
#ifndef AGENT_SERVER_CERTIFICATE_H
#define AGENT_SERVER_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/settings.h"
#include "pki/spki_pin.h"
#include "pki/ocsp.h"
#include "tunnel/tls.h"

struct key_demand;

enum staple_fault { STAPLE_FINE, STAPLE_REFUSED, STAPLE_MISSING };

/* {0} is empty. */
struct server_certificate {
	struct tls_config *tls;
	/* The DNS names of its SAN that are the endpoint's, normalised, wildcards among them; no
	 * other name counts. */
	char **names;
	size_t name_count;
	const struct key_demand *demand; /* what a client must offer to verify its key */
	struct spki_pin key;             /* as in struct cert_facts */
	char fingerprint[65];            /* likewise */
	int64_t not_before, not_after;   /* likewise */
	uint8_t digest[32]; /* SHA-256 of the file, so of what stands behind the certificate, too */
	bool must_staple;   /* clients that know of it demand an OCSP response */
	bool wants_staple;  /* it must, or a file was given */
	struct ocsp_staple staple;     /* shown while it is current; empty: there is none */
	char *staple_refused;          /* why what is in the file is not taken; NULL: it is */
	enum staple_fault staple_told; /* by server_certificate_watch() and for it only */
};

enum { SERVER_CERTIFICATE_ERROR = 768 };

/* What the certificates of one endpoint have in common. */
struct server_certificate_scope {
	const char *endpoint; /* its server name */
	const struct tls_settings *tls;
	/* Those of before a reload.  Where a new response is refused, that of the same certificate is
	 * kept as long as it is current. */
	const struct server_certificate *before;
	size_t before_count;
};

/* False with a sentence; wipe it in any case.  A response that is refused is no failure: it is
 * fetched by somebody else, at other times. */
bool server_certificate_load(struct server_certificate *, const struct certificate_settings *,
    const struct server_certificate_scope *, char error[SERVER_CERTIFICATE_ERROR]);
void server_certificate_wipe(struct server_certificate *);

/* Why clients get no response although they should have one, in error or borrowed; NULL: they do, or none
 * is wanted. */
const char *server_certificate_unstapled(
    const struct server_certificate *, int64_t now_s, char error[OCSP_ERROR]);
/* Every second, on one thread: logs, once, that a response was refused or that clients get none. */
void server_certificate_watch(struct server_certificate *, const char *endpoint, int64_t now_s);

/* What a client's hello says about keys. */
struct key_offer {
	bool tls13;       /* that will be spoken */
	bool ecdsa, rsa;  /* TLS 1.2: a cipher suite for such keys, of those that we speak */
	uint16_t schemes; /* bit set over our own table of signature schemes */
};

/* The hello is complete (sni/clienthello.h), in these bytes. */
struct key_offer server_certificate_offer(const uint8_t *hello, size_t bytes, bool has_tls13);

/* The best of them for this normalised name.  One for this very name comes before one for a wildcard,
 * then ECDSA before EdDSA and RSA, then the order of the list; what the client cannot verify comes
 * last, so that the handshake fails by that and not by the name.  NULL: none is for the name. */
const struct server_certificate *server_certificate_choose(
    const struct server_certificate *, size_t count, const char *name, const struct key_offer *);

#endif
