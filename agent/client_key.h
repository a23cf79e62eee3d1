/*
 * What a rule may compare of a client's certificate: the keys of one mapping under
 * `clients` of valise-agent.yml(5), how each is written, and how it is compared.
 *
 * The certificate has been verified; what stands in it was chosen by whoever issues it.
 * So names are compared as strictly as they can be, wildcards stand in rules and never
 * in certificates, and what is odd equals nothing.
 */
#ifndef AGENT_CLIENT_KEY_H
#define AGENT_CLIENT_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "pki/identity.h"

enum client_key {
	CLIENT_DNS,
	CLIENT_EMAIL,
	CLIENT_URI,
	CLIENT_CN,
	CLIENT_OU,
	CLIENT_SPKI,
	CLIENT_SERIAL,
	CLIENT_ISSUER,
	CLIENT_KEYS
};

/* Parsed; {0} is a key that is not given. */
struct client_value {
	/* What texts are compared with, and as what numbers were written; to be freed. */
	char *text;
	uint8_t digest[IDENTITY_KEY_BYTES]; /* spki, issuer */
	struct serial serial;
	bool is_any;    /* issuer: the word */
	bool is_direct; /* issuer, set by who parses: one further up does not count */
};

struct client_key_row {
	const char *name;
	/* False with a sentence in *why that reads after the text; value->text is NULL then. */
	bool (*parse)(struct client_value *, const char *text, const char **why);
	/* Of a client's identity. */
	bool (*matches)(const struct client_value *, const struct identity *);
	const char *miss; /* reads after the text of one that does not match */
};

extern const struct client_key_row client_key_rows[CLIENT_KEYS];

#endif
