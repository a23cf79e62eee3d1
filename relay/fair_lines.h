/*
 * Who waits for the same, in lines that are fair to networks.
 *
 * A waiter stands in the line of his host (/32, IPv6 /64).  The hosts of a network
 * (/24, IPv6 /48) have their turns one after the other, and so have the networks:
 * hundreds from elsewhere move nobody's turn by more than one, and those of a neighbour
 * nobody's by more than every second one of the network.
 *
 * Shared by:     all clients of what its owner gives out.
 * Bound:         `most` in all.  A network may have as many of these places as are left, and a host as
 *                many as its network may still take (the dynamic threshold of Choudhury and Hahne,
 *                1998): a network alone may have half of all, a host alone a third, and there is a
 *                place for whoever comes from somewhere new, be it next door.
 * Who leaves:    nobody; the newcomer of a line that is too long is refused.
 *
 * Lines are made when somebody has to wait.  One stays for as long as a waiter of it lives, so that he can
 * come back to its head without memory.  Nothing here is locked: its owner does that.
 *
 *	fair_lines_admit --> fair_lines_enter --> fair_lines_next or fair_lines_leave --> ...
 *	--> fair_lines_forget
 */
#ifndef RELAY_FAIR_LINES_H
#define RELAY_FAIR_LINES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include "base/address.h"
#include "base/hash.h"

/* One waiter; zeroed, then `client` filled in. */
struct fair_waiter {
	TAILQ_ENTRY(fair_waiter) link;
	struct fair_line *line; /* from the first time on that he has to wait; held */
	struct ip_address client;
};

/* The line of a host, which has its turns in the line of its network, and that in the line of all. */
struct fair_line {
	struct hash_link link;
	TAILQ_ENTRY(fair_line) turn; /* while somebody waits in it */
	struct fair_line *above;     /* held; NULL: this is the line of all */
	struct prefix block;
	TAILQ_HEAD(, fair_line) turns;     /* lines below where somebody waits, the next first */
	TAILQ_HEAD(, fair_waiter) waiters; /* of a host, the longest waiting first */
	uint64_t waiting;                  /* here and below */
	unsigned held;                     /* by waiters, and lines below */
};

struct fair_lines {
	struct table table; /* of hosts and networks */
	struct fair_line all;
	uint64_t most; /* 0: no bound */
};

/* False when memory is short. */
bool fair_lines_init(struct fair_lines *, uint64_t most);
/* Of lines in which nobody waits, and whose waiters are forgotten. */
void fair_lines_wipe(struct fair_lines *);

enum fair_verdict { FAIR_FINE, FAIR_TOO_LONG, FAIR_NO_MEMORY };
/* Whether he may enter; somebody who has waited before need not be asked about the length. */
enum fair_verdict fair_lines_admit(struct fair_lines *, struct fair_waiter *, bool is_new);
/* Of one who was admitted: to the end of his line or, with is_next, before everybody. */
void fair_lines_enter(struct fair_lines *, struct fair_waiter *, bool is_next);
void fair_lines_leave(struct fair_lines *, struct fair_waiter *);
/* Whose turn it is, who leaves with it; NULL when nobody waits. */
struct fair_waiter *fair_lines_next(struct fair_lines *);
/* He will not come back, and does not wait. */
void fair_lines_forget(struct fair_lines *, struct fair_waiter *);
uint64_t fair_lines_waiting(const struct fair_lines *);

#endif
