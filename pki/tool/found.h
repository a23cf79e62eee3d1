/*
 * Founding a CA: its key, its certificate from the one above, its entry in the
 * inventory and its first, empty CRL.
 */
#ifndef PKI_TOOL_FOUND_H
#define PKI_TOOL_FOUND_H

#include "base/secret.h"
#include "pki/tool/authority.h"
#include "pki/tool/key.h"
#include "pki/tool/signer.h"

struct founding {
	const char *name, *role;
	const char *organisation;	/* of the subject; the common name is "ORGANISATION NAME" */
	int path_length;
	const char *const *purposes;
	const struct texts *permits;
	const uint8_t *grant;		/* DER of the ceiling, or NULL */
	size_t grant_bytes;
	int64_t seconds;		/* lifetime, cut to the parent's */
	struct secret key_pem;		/* from found_key(); owned, wiped by found_wipe() */
	struct signer signer;		/* the new CA; owned */
};

/* Makes the key, encrypted with the passphrase unless that is NULL. Slow, so before the change begins. */
int found_key(struct founding *, enum key_type, const char *passphrase);
/* Inside a change. parent NULL: a root. */
int found_ca(struct authority *, struct founding *, const struct signer *parent);
void found_wipe(struct founding *);

/* Renews a CA's certificate, the whole change; `old` is its current record. seconds 0: the usual lifetime. */
int found_again(struct authority *, const struct record *old, int64_t seconds);

#endif
