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

struct station;
struct visit;

/* Takes the visit. */
void agent_channel_start(struct station *, struct visit *);
/* Ends all of the station's. Those that somebody is about to take end when he hears of it. */
void agent_channel_cut_all(struct station *);

#endif
