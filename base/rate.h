/*
 * How much of something may begin in a second: for each client block (IPv4 /32
 * and /24, IPv6 /64 and /48), all together, and for each name.
 *
 *	rates = rate_table_new();
 *	rate_set(rates, KIND, &bounds)          again after each reload
 *	rate_take(rates, KIND, client)          before the work, once each time
 *
 * Who shares it: all threads and all clients; a kind is a thing that is counted
 * by itself (the hellos of sessions, flows ...), numbered by the owner.
 *
 * Each block has a token bucket: it holds the bound's tokens, a take costs one,
 * and what was taken comes back at the speed of (taken) a second, so that a
 * bucket that is kept empty gives `bound` tokens a second.  That the speed is
 * proportional has a reason: so all blocks' takes add up to the bucket of all
 * together at any time, and a block's share can be told.
 *
 * All together (in_all) are bounded fairly: a block may have taken at most
 * RATE_FAIR times what is left for everybody.  Thus one block alone gets four
 * fifths of in_all, n heavy ones divide it evenly, and who has taken little
 * always finds something left.  When nearly all is taken, the heaviest blocks
 * are refused first.
 *
 * The bound of the table: RATE_BUCKETS of 24 bytes (1.5 MiB), from the start, for
 * all kinds.  A full bucket needs no place.  Who leaves: a bucket may stand in one
 * of RATE_WAYS places, which a hash with a secret key gives; when all are taken,
 * the one from which least was taken is given up and counts as full.  That errs in
 * favour of a client, and the bound of all together has no place to lose.  Every
 * call takes constant time and one short lock.
 */
#ifndef BASE_RATE_H
#define BASE_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct address;
struct rate_table;

enum { RATE_KINDS_MOST = 8, RATE_BUCKETS = 65536, RATE_WAYS = 8, RATE_FAIR = 4 };

/* A second; 0: no bound. */
struct rate_bounds {
	uint64_t per_host;    /* /32 and /64 */
	uint64_t per_network; /* /24 and /48 */
	uint64_t in_all;
	uint64_t per_name; /* of rate_take_name() */
};

enum rate_verdict {
	RATE_OK,
	RATE_HOST,    /* per_host is reached */
	RATE_NETWORK, /* per_network is reached */
	RATE_SHARE,   /* in_all is nearly reached, and most of it was taken by this block */
	RATE_ALL,     /* in_all is reached */
};

/* Without any bounds. NULL when memory is short. */
struct rate_table *rate_table_new(void);
void rate_table_free(struct rate_table *);
/* The bounds hold from now on; what was taken stays taken. */
void rate_set(struct rate_table *, unsigned kind, const struct rate_bounds *);
/* Takes one token for this client of each bound, or none at all. */
enum rate_verdict rate_take(struct rate_table *, unsigned kind, const struct address *client);
/* Takes one token for this name; false: per_name is reached. */
bool rate_take_name(struct rate_table *, unsigned kind, const char *name);

#endif
