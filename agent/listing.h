/*
 * The long lists that the agent's operator may ask for: the words endpoints and flows of the admin socket.
 */
#ifndef AGENT_LISTING_H
#define AGENT_LISTING_H

struct admin_question;
struct agent_live;
struct listings;

/* Their addresses must not change while a list lasts. */
void agent_listing_endpoints(struct admin_question *, struct listings *, const struct agent_live *);
void agent_listing_flows(struct admin_question *, struct listings *, const struct agent_live *);

#endif
