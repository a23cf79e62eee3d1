/*
 * A channel on its worker: dialled, shaken, parked at the relay, until a flow
 * takes it.
 *
 *	dialling --> shaking --> parked --> opened (a flow has it) --> gone
 *
 * Whoever has the pooled gets its events; a flow takes over with pooled_channel_hand_over().
 */
#ifndef AGENT_POOLED_CHANNEL_H
#define AGENT_POOLED_CHANNEL_H

#include <stdbool.h>
#include <sys/queue.h>

#include "base/loop.h"

struct pooled_channel;
struct channel;
struct session_ref;
struct resolver;
LIST_HEAD(pooled_channels, pooled_channel);

enum pooled_channel_event {
	POOLED_PARKED,
	POOLED_OPENED,	/* the relay gives a flow: pooled_channel_channel() has its open frame */
	POOLED_OVER,	/* lost, or never came through: pooled_channel_error(); free it */
};

/* Holds the ref. Stands in the list until it is freed or given. NULL when memory is short. */
struct pooled_channel *pooled_channel_new(struct loop *, struct resolver *, struct session_ref *,
    struct pooled_channels *,
    void (*on_event)(void *arg, struct pooled_channel *, enum pooled_channel_event), void *arg);
/* Safe inside a handler; NULL is fine. */
void pooled_channel_free(struct pooled_channel *);
struct pooled_channel *pooled_channel_next(struct pooled_channel *);

/* It leaves its list; from now on events go elsewhere. */
void pooled_channel_hand_over(struct pooled_channel *,
    void (*on_event)(void *arg, struct pooled_channel *, enum pooled_channel_event), void *arg);

struct session_ref *pooled_channel_session(const struct pooled_channel *);
struct channel *pooled_channel_channel(const struct pooled_channel *);
bool pooled_channel_is_parked(const struct pooled_channel *);
const char *pooled_channel_error(const struct pooled_channel *);

#endif
