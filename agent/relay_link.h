/*
 * The link to one relay of the list: when to be connected, and what to tell
 * people about it.
 *
 *	resting (until a time) --> trying --> up --> resting ...
 *
 * An old session may linger beside the new one: when the relay drains, and when
 * the agent's certificate was renewed and a new session is made before the old
 * one goes.  A refusal for good is told once and completely, then tried again
 * every five minutes, or at once when a file that may cure it has changed.
 */
#ifndef AGENT_RELAY_LINK_H
#define AGENT_RELAY_LINK_H

#include <stdbool.h>
#include <stdint.h>

struct context;
struct relay_link;

enum relay_event {
	RELAY_CHANGED,	/* came up or went down */
	RELAY_REFUSED,	/* for good, itself or an endpoint; the log has it */
};

/* The first dial is at once. NULL when memory is short. */
struct relay_link *relay_link_new(const struct context *, const char *target,
    void (*on_event)(void *arg, enum relay_event), void *arg);
void relay_link_free(struct relay_link *);

const char *relay_link_target(const struct relay_link *);
bool relay_link_is_up(const struct relay_link *);

/* The context has other credentials: a new session is made with them. */
void relay_link_renew(struct relay_link *);
/* The context has another endpoint table or other trust in relays. */
void relay_link_refresh(struct relay_link *, int64_t now_s);
void relay_link_judge_again(struct relay_link *, int64_t now_s);
/* No new session from here on; the relay is told. */
void relay_link_drain(struct relay_link *, uint32_t deadline_ms);
void relay_link_goodbye(struct relay_link *);

#endif
