/*
 * A channel on its worker: dialled, shaken, parked at the relay, until a flow
 * takes it.
 *
 *	dialling --> shaking --> parked --> opened (a flow has it) --> gone
 *
 * Whoever has the berth gets its events; a flow takes over with berth_give().
 */
#ifndef AGENT_BERTH_H
#define AGENT_BERTH_H

#include <stdbool.h>
#include <sys/queue.h>

#include "base/loop.h"

struct berth;
struct channel;
struct leg;
struct resolver;
LIST_HEAD(berth_list, berth);

enum berth_event {
	BERTH_PARKED,
	BERTH_OPENED,	/* the relay gives a flow: berth_channel() has its open frame */
	BERTH_OVER,	/* lost, or never came through: berth_error(); free it */
};

/* Holds the leg. Stands in the list until it is freed or given. NULL when memory is short. */
struct berth *berth_new(struct loop *, struct resolver *, struct leg *, struct berth_list *,
    void (*on_event)(void *arg, struct berth *, enum berth_event), void *arg);
/* Safe inside a handler; NULL is fine. */
void berth_free(struct berth *);
struct berth *berth_next(struct berth *);

/* It leaves its list; from now on events go elsewhere. */
void berth_give(struct berth *, void (*on_event)(void *arg, struct berth *, enum berth_event), void *arg);

struct leg *berth_leg(const struct berth *);
struct channel *berth_channel(const struct berth *);
bool berth_is_parked(const struct berth *);
const char *berth_error(const struct berth *);

#endif
