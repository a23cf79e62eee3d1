/*
 * One channel of an agent on the relay, from its handshake until a flow takes
 * it or it is lost.
 *
 *	shaking --> parked --> gone
 *
 * Whose it is, is known by the key that its handshake was made with; that
 * session must still be up when the handshake ends.  While it is parked it is
 * pinged now and then, at intervals that differ from channel to channel.
 */
#ifndef RELAY_AGENT_CHANNEL_H
#define RELAY_AGENT_CHANNEL_H

struct worker_context;
struct conn;

/* Takes the connection. */
void agent_channel_start(struct worker_context *, struct conn *);
/* Ends all of the worker's. Those that somebody is about to take end when he hears of it. */
void agent_channel_cut_all(struct worker_context *);

#endif
