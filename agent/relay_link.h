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
#include <stddef.h>
#include <stdint.h>

struct agent_context;
struct conf_texts;
struct relay_link;

enum relay_event {
	RELAY_CHANGED,	/* came up or went down */
	RELAY_REFUSED,	/* for good, itself or an endpoint; the log has it */
};

/* The first dial is at once. NULL when memory is short. */
struct relay_link *relay_link_new(const struct agent_context *, const char *target,
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

/* The links to all relays of the list, spoken to as one. */
struct relay_links {
	const struct agent_context *context;
	void (*on_event)(void *arg, enum relay_event);
	void *arg;
	struct relay_link **links;
	size_t count;
};

void relay_links_init(struct relay_links *, const struct agent_context *,
    void (*on_event)(void *arg, enum relay_event), void *arg);
void relay_links_wipe(struct relay_links *);
/* From now on a link to each of these targets and to no other; a link that is wanted already stays.
 * False when memory is short: some are missing. */
bool relay_links_set(struct relay_links *, const struct conf_texts *targets);
size_t relay_links_up_count(const struct relay_links *);
/* The context has other credentials; all: also links that are up make a new session with them. */
void relay_links_renew(struct relay_links *, bool all);
/* As the functions of one link. */
void relay_links_refresh(struct relay_links *, int64_t now_s);
void relay_links_judge_again(struct relay_links *, int64_t now_s);
void relay_links_drain(struct relay_links *, uint32_t deadline_ms);
void relay_links_goodbye(struct relay_links *);

#endif
