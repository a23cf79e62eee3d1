/*
 * One channel of an agent on the relay, from its handshake until a flow takes
 * it or it is lost.
 *
 *	shaking --> parked --> gone
 *
 * The key of its handshake tells which session it belongs to; that session must
 * still be up when the handshake ends.  While it is parked it is pinged now and
 * then, at intervals that differ from channel to channel, and at once where its session
 * has become suspect.  After ten to twenty minutes it retires, once there are more than
 * pool.least without it.
 */
#ifndef RELAY_AGENT_CHANNEL_H
#define RELAY_AGENT_CHANNEL_H

struct worker_context;
struct conn;

/* Takes the connection. */
void agent_channel_start(struct worker_context *, struct conn *);
/* Ends all channels of the worker. One that somebody is about to take ends when he hears of it. */
void agent_channel_cut_all(struct worker_context *);

#endif
