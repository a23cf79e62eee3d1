/*
 * Invitations in the inventory: a certificate to be, for who shows the secret, once.  The secret has
 * 128 random bits and is kept as its SHA-256, so a stolen inventory or backup lets nobody in.
 *
 * An invitation is open until it is used, withdrawn, or over.  It stays in the inventory after that, since
 * who comes with another key for a used one may be a thief, and is forgotten INVITATION_KEPT_S after its
 * time was over.
 */
#ifndef PKI_TOOL_INVITATION_H
#define PKI_TOOL_INVITATION_H

#include <stdbool.h>
#include <stdint.h>

#include "pki/grant.h"
#include "pki/join_line.h"
#include "pki/tool/names.h"
#include "pki/tool/record.h"

enum {
	INVITATION_HASH = 32,
	INVITATION_S = 86400,
	INVITATION_MOST_S = 30 * 86400,
	INVITATION_KEPT_S = 90 * 86400
};

struct invitation {
	int64_t id, issuer; /* of the CA */
	char handle[JOIN_HANDLE];
	uint8_t hash[INVITATION_HASH];
	char kind[CA_ROLE], name[CA_NAME];
	struct names names;
	struct grant grant; /* of an agent */
	int64_t seconds;    /* lifetime of the certificate; 0: the profile's */
	bool replaces;      /* a certificate that is alive */
	int64_t former;     /* the current certificate of that name when it was made; 0: none */
	int64_t made_at, ends_at, withdrawn_at, used_at; /* the last two 0: not */
	int64_t certificate;                             /* what it was used for */
};

/* Chooses handle and secret, and sets the hash. */
void invitation_make_secret(struct invitation *, char secret[JOIN_SECRET]);
/* Sets id. */
int invitation_add(struct store *, struct invitation *);
int invitation_find(struct store *, const char *handle, struct invitation *, bool *found);
/* In the order in which they were made. */
int invitation_each(struct store *, int (*each)(void *arg, const struct invitation *), void *arg);
int invitation_withdraw(struct store *, const char *handle, int64_t now);
/* Those of long ago. */
int invitation_forget(struct store *, int64_t now);
int invitation_use(struct store *, const struct invitation *, int64_t certificate, int64_t now);

/* In constant time; a handle that was not found is asked the same way, with a zeroed invitation. */
bool invitation_knows(const struct invitation *, const char *secret);
/* "open", "used", "withdrawn" or "over". */
const char *invitation_state(const struct invitation *, int64_t now);

/*
 * Whether a certificate may not be had by invitation, whatever it is for: under the name, or with a
 * host, of `valise-pki serve` itself; or, but for relays, with a host of a relay.  A relay or server
 * could pass for another by a wildcard, too.
 */
int invitation_refuse_reserved(
    struct store *, const char *kind, const char *name, const struct names *);
/* Whether `former` is what the inventory has under that name now, and may be followed by the invited one. */
int invitation_judge_former(struct store *, const struct invitation *, int64_t now);

#endif
