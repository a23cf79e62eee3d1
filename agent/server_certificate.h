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
#include "tunnel/tls.h"

struct key_demand;

/* {0} is empty. */
struct server_certificate {
	struct tls_config *tls;
	/* The DNS names of its SAN that are the endpoint's, normalised, wildcards among them; no
	 * other name counts. */
	char **names;
	size_t name_count;
	const struct key_demand *demand; /* what a client must offer to verify its key */
};

enum { SERVER_CERTIFICATE_ERROR = 768 };

/* `shared` has what all certificates of the endpoint `name` have in common.  False with a sentence;
 * wipe it in any case. */
bool server_certificate_load(struct server_certificate *, const struct certificate_settings *,
    const struct tls_settings *shared, const char *name, char error[SERVER_CERTIFICATE_ERROR]);
void server_certificate_wipe(struct server_certificate *);

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
