/*
 * A channel on its worker, from the dial until it is over.  The worker gets its
 * events until the relay opens it for a flow; then the flow takes it, and its
 * events, with pooled_channel_hand_over().
 *
 *	dialling --> handshaking --> parked --> opened --> over
 */
#ifndef AGENT_POOLED_CHANNEL_H
#define AGENT_POOLED_CHANNEL_H

#include <stdbool.h>

#include "base/loop.h"

struct pooled_channel;
struct channel;
struct agent_session_ref;
struct resolver;

enum pooled_channel_event {
	POOLED_PARKED,
	POOLED_OPENED, /* the relay gives a flow; pooled_channel_channel() has the open frame */
	POOLED_OVER, /* the dial failed or the channel was lost: pooled_channel_error(); free it */
};

/* Holds the session_ref. NULL when memory is short. */
struct pooled_channel *pooled_channel_new(struct loop *, struct resolver *,
    struct agent_session_ref *,
    void (*on_event)(void *arg, struct pooled_channel *, enum pooled_channel_event), void *arg);
/* Safe inside a handler; NULL is fine. */
void pooled_channel_free(struct pooled_channel *);

/* From now on its events go elsewhere. */
void pooled_channel_hand_over(struct pooled_channel *,
    void (*on_event)(void *arg, struct pooled_channel *, enum pooled_channel_event), void *arg);

struct agent_session_ref *pooled_channel_session(const struct pooled_channel *);
struct channel *pooled_channel_channel(const struct pooled_channel *);
bool pooled_channel_is_parked(const struct pooled_channel *);
const char *pooled_channel_error(const struct pooled_channel *);

#endif
