/*
 * A worker of the agent: a thread with a loop, on which channels are dialled,
 * parked, and turned into flows.  A channel and its flow live wholly on one.
 * All functions are called from the main thread and only post messages.
 */
#ifndef AGENT_HAND_H
#define AGENT_HAND_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/loop.h"

struct hand;
struct leg;
struct resolver;
struct roster;

enum hand_report {
	HAND_PARKED,	/* a dial came through */
	HAND_FAILED,	/* a dial did not */
	HAND_OPENED,	/* a parked channel was taken by a flow */
	HAND_LOST,	/* a parked channel was closed by the relay */
};

struct hand_wish {
	struct loop *main_loop;
	struct resolver *resolver;
	struct roster *roster;		/* held by the hand from here on */
	_Atomic uint64_t *flow_count;	/* of all hands */
	/* In the main thread. The leg is borrowed; error is NULL but for FAILED and LOST. */
	void (*on_report)(struct leg *, enum hand_report, const char *error);
};

/* NULL when the system refuses. */
struct hand *hand_start(const char *name, const struct hand_wish *);
/* Each returns false when memory is short: the order is not given. */
bool hand_dial(struct hand *, struct leg *);
bool hand_drop(struct hand *, struct leg *);		/* its session is over: no parked channel is left */
bool hand_publish(struct hand *, struct roster *);	/* from now on; all flows are judged again */
bool hand_drain(struct hand *);				/* no new channels; new flows are refused */
/* Ends its flows and waits for the thread. */
void hand_stop(struct hand *);

#endif
