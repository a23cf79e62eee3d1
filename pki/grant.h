/*
 * The grant: the extension OID_GRANT, which makes a certificate an agent's and
 * says what it allows besides its names (those are the SANs).  A CA that carries
 * one sets a ceiling: the effective grant is the minimum along the chain.
 *
 * struct grant is a plain value without pointers; copy it as you like.  All
 * functions are pure and may be called from any thread.
 */
#ifndef PKI_GRANT_H
#define PKI_GRANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"

enum {
	GRANT_NAME_BYTES = 64,   /* 1..64 printable ASCII characters, no space at an end */
	GRANT_REGION_BYTES = 32, /* 1..32 of a-z 0-9 . _ - */
	GRANT_LIST = 64,         /* entries in sources, and in regions */
	GRANT_DER_BYTES = 4096,  /* enough for every grant */
};

struct grant {
	char name[GRANT_NAME_BYTES + 1]; /* with the issuer's key: the identity */
	bool shared;           /* other identities that say so too may serve the same names */
	bool any_depth;        /* a `*.x` SAN covers names of any depth under x */
	uint32_t max_flows;    /* at once, per identity; 0 = no limit */
	uint32_t max_sessions; /* at once, per identity; 0 = no limit */
	size_t source_count;   /* addresses that agents may come from; none = anywhere */
	size_t region_count;   /* regions that relays may be in; none = everywhere */
	struct prefix sources[GRANT_LIST];
	char regions[GRANT_LIST][GRANT_REGION_BYTES + 1];
};

/* False if the grant is out of its ranges or does not fit. */
bool grant_encode(const struct grant *, uint8_t *out, size_t capacity, size_t *bytes);

/* The only form accepted is the one that grant_encode writes.  False with the
 * reason in *why (a constant, no end mark, reads after "its grant "). */
bool grant_decode(struct grant *, const uint8_t *der, size_t bytes, const char **why);

/* Whether every field is within its range; *why as above, may be NULL. */
bool grant_is_valid(const struct grant *, const char **why);

/* Whether it lists this region; a grant without any lists none. */
bool grant_has_region(const struct grant *, const char *region);

/* Limits effective to the minimum of both, but for its name.  False if no address or no
 * region is allowed by both; effective must not be used then. */
bool grant_limits_apply(struct grant *effective, const struct grant *ceiling)
    __attribute__((warn_unused_result));

#endif
