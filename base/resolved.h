/*
 * What is known of one host: its addresses, until when they may be used, and
 * which of them failed.  A plain value without a lock or a clock, a part of
 * resolver_hosts.h.
 */
#ifndef BASE_RESOLVED_H
#define BASE_RESOLVED_H

#include <stdbool.h>
#include "base/address.h"

enum { RESOLVED_MOST = 16, RESOLVED_WHY = 384, HOST_BYTES = 254 /* of a name */ };

/* What the system said. */
struct answer {
	struct address addresses[RESOLVED_MOST]; /* without ports */
	size_t count;
	char why[RESOLVED_WHY]; /* when there is none */
	bool is_unanswered; /* because no name server has answered; nothing is known of the name */
};

/* {0} knows nothing. */
struct resolved {
	struct answer answer;
	uint64_t failed_until_ms[RESOLVED_MOST]; /* of each address: until then it comes last */
	uint64_t fresh_until_ms, stale_until_ms; /* of the addresses */
	uint64_t failure_until_ms;               /* of the last look-up, if it failed */
};

/* Adds the address unless it is there already, or there are enough. */
void answer_add(struct answer *, const struct address *);

enum resolved_use {
	RESOLVED_UNKNOWN, /* look it up */
	RESOLVED_FAILURE, /* say why */
	RESOLVED_STALE,   /* use it and look it up again */
	RESOLVED_KNOWN,   /* use it */
};

enum resolved_use resolved_use(const struct resolved *, uint64_t now_ms);
/* A failure leaves addresses that may still be used. */
void resolved_learn(struct resolved *, const struct answer *, uint64_t now_ms);
/* False when the host has no such address. */
bool resolved_blame(struct resolved *, const struct address *, uint64_t now_ms);
/* All addresses, with this port, in the order in which they are to be tried; returns how many. */
size_t resolved_order(
    const struct resolved *, uint64_t now_ms, uint16_t port, struct address out[RESOLVED_MOST]);

#endif
