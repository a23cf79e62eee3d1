/* What is kept of a verified chain; only the files of this folder see it. */
#ifndef PKI_IDENTITY_PRIVATE_H
#define PKI_IDENTITY_PRIVATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pki/identity.h"
#include "pki/path.h"
#include "pki/revocation.h"
#include "pki/verdict.h"

struct identity_link {
	struct serial serial;
	uint8_t key[IDENTITY_KEY_BYTES];  /* SHA-256 of its SPKI */
	bool has_grant;                   /* agents only, as the numbers */
	uint32_t max_flows, max_sessions; /* of its own grant */
	int64_t not_after;
	/* Of the leaf only the id, of a client's the name too; all but the id lies in octets. */
	struct issuer issuer;
};

struct identity {
	atomic_uint refs;
	enum role role;
	struct grant *grant; /* agents only; it has room for its own regions and not more */
	char *subject, *issuer;
	char serial[SERIAL_TEXT];
	char fingerprint[IDENTITY_FINGERPRINT];
	char issuer_key[IDENTITY_ISSUER_KEY];
	uint8_t key[IDENTITY_KEY_BYTES];
	int64_t not_after;
	char **sans;
	size_t san_count;
	struct der names; /* of a client's leaf: contents of GeneralNames, in octets */
	uint8_t *octets;
	size_t link_count;
	struct identity_link links[]; /* leaf first, the anchor last */
};

/* Holds one reference; NULL when memory is short. */
struct identity *identity_new(const struct path *, enum role, const struct grant *);

#endif
