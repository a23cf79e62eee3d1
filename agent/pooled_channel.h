/*
 * A channel on its worker, from the dial until it is over.  The worker gets its
 * events until the relay opens it for a flow; then the flow takes it, and its
 * events, with pooled_channel_hand_over().
 *
 *	dialling --> handshaking --> parked --> opened --> over
 *
 * From `open` on it keeps room for the client's hello, for as long as the relay takes to
 * send it and the flow to use it.  An `open` that has no answer after 300 ms, for whatever
 * reason, is answered by `working`: a relay that hears nothing takes the channel for lost.
 *
 * Shared by:     all relays, and within what came through one of them its clients
 *                (base/shares.h).
 * Bound:         16 MiB in all, or a quarter of limits.memory if that is less, in units of
 *                8 KiB: most hellos weigh one, the largest weighs 48.
 * Who leaves:    the relay whose hellos weigh most pays, in it the block of clients whose do, with
 *                its oldest hello; the relay hears flow-limit.  So a relay that opens flows and
 *                keeps their hellos back has no more memory than that, and takes none of what
 *                the others need.
 */
#ifndef AGENT_POOLED_CHANNEL_H
#define AGENT_POOLED_CHANNEL_H

#include <stdbool.h>

#include "base/loop.h"

struct pooled_channel;
struct channel;
struct agent_session_ref;
struct resolver;
struct shares;

enum { POOLED_HELLO_UNIT = 8 << 10, POOLED_HELLOS_MOST = (16 << 20) / POOLED_HELLO_UNIT };

enum pooled_channel_event {
	POOLED_PARKED,
	POOLED_OPENED, /* the relay gives a flow; pooled_channel_channel() has the open frame */
	/* Its hello had to go, and the relay is told: POOLED_OVER follows, if it is not freed before. */
	POOLED_DISPLACED,
	POOLED_OVER, /* the dial failed or the channel was lost: pooled_channel_error(); free it */
};

/* Holds the session_ref, borrows the shares of all hellos. NULL when memory is short. */
struct pooled_channel *pooled_channel_new(struct loop *, struct resolver *, struct shares *hellos,
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
/* In POOLED_OVER: this host lacks what a dial wants, and nobody else is to blame. */
bool pooled_channel_is_short(const struct pooled_channel *);
extern const char pooled_channel_displaced[]; /* the sentence for POOLED_DISPLACED */

#endif
