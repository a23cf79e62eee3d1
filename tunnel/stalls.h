/*
 * Who has bytes for a peer that takes none: the directions of one loop's flows,
 * in the order in which they last moved, longest standstill first.
 *
 * Entering, moving and leaving cost a few pointers, because a busy flow does so
 * with every full buffer; there is one timer for all.  Once a second it looks at
 * those that have stood still for STALLS_LOOK_MS or longer, at most STALLS_AT_ONCE
 * of them in a turn.  A look may move or end its stall and no other.
 *
 * Shared by:     all joined flows of one loop; everything belongs to its thread.
 * Bound:         two for each flow, embedded in it.
 * Who leaves:    nobody for another.  Whoever looks decides who has stood still for too long
 *                (pump.h), and what all hold together is bounded elsewhere (standstill.h).
 */
#ifndef TUNNEL_STALLS_H
#define TUNNEL_STALLS_H

#include <sys/queue.h>

#include "base/counter.h"
#include "base/loop.h"
#include "tunnel/ahead.h"

enum { STALLS_LOOK_MS = 2000, STALLS_EVERY_MS = 1000, STALLS_AT_ONCE = 500 };

/* Embedded in its owner; {0} is not in the list. */
struct stall {
	TAILQ_ENTRY(stall) link;
	uint64_t since_ms; /* clock_ms() of the last move; 0: not in the list */
	uint64_t queued;   /* what the last look has found; 0 before the first one */
};
TAILQ_HEAD(stall_list, stall);

struct stalls {
	struct loop *loop;
	struct stall_list list;
	struct stall *next; /* of the round that is under way; NULL: none is */
	struct timer timer;
	void (*look)(struct stall *, uint64_t waited_ms);
	struct thread_counter
	    moved[2];       /* bytes that the loop's pumps have passed on: from a, from b */
	struct pipes pipes; /* what the loop's flows share beside the list */
	struct ahead ahead;
	/* pump.h; may be NULL. */
	void (*on_held)(void *owner, uint64_t own_bytes, uint64_t kernel_bytes);
};

/* A wiped list may still be left. */
void stalls_init(struct stalls *, struct loop *, void (*look)(struct stall *, uint64_t waited_ms));
void stalls_wipe(struct stalls *);

void stall_enter(struct stalls *, struct stall *);
/* It moved: it stands still from now on. */
void stall_move(struct stalls *, struct stall *);
/* Harmless when it is not in the list. */
void stall_leave(struct stalls *, struct stall *);

#endif
