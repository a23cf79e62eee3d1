/*
 * The link to one relay of the list: it decides when to connect, and logs what
 * people should know about it.
 *
 *	waiting (for a time) --> connecting --> up --> waiting ...
 *	                             ^-----------'  (a second session was under way)
 *	any of them --> stopped
 *
 * A session that is silent (agent/relay_session.h) may be dead: a firewall that has lost its
 * state drops what comes without a word, and only a new connection finds a way.  So a second session
 * is made beside it, and the silent one ends when the second is welcomed, or takes its
 * place when it has ended.  If it is heard again first, the second one is given up:
 * then the relay was only slow, and more sessions are the last thing it needs.
 *
 * The previous session may live on beside the current one: while the relay
 * drains, when the agent's certificate was renewed, and when the relay's ends
 * soon, since then the new session is made before the old one ends.  A relay has
 * long had its next certificate by then, but shows it to new sessions alone;
 * where it has not, the link tries again while there is time.  When it
 * dials again is in agent/reconnect.h; a session that its relay drains soon after it came up
 * counts as one that ended soon.  A permanent refusal is logged once
 * and completely; the next attempt follows after five minutes, or at once when
 * a file that may cure it has changed.  Permanent is only what a verified relay
 * has said, or what our own files show: what came before may be the word of
 * somebody in between, and has the ordinary back-off.
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
	RELAY_CHANGED, /* came up or went down */
	/* A permanent refusal, of the session or of an endpoint; it is logged. */
	RELAY_REFUSED,
};

/* Dials at once. NULL when memory is short. */
struct relay_link *relay_link_new(const struct agent_context *, const char *target,
    void (*on_event)(void *arg, enum relay_event), void *arg);
void relay_link_free(struct relay_link *);

bool relay_link_is_up(const struct relay_link *);
/* By which what its flows take is counted (base/shares.h): from 1 on, and not that of a link that was
 * freed lately, whose flows may live on. */
uint8_t relay_link_owner(const struct relay_link *);

/* For people; the texts are borrowed until the link does something. */
struct relay_link_description {
	const char *target;
	const char *state;        /* "waiting", "connecting", "up", "stopped" */
	int64_t since_s;          /* connected, or without a connection, since */
	const char *relay;        /* how it calls itself; NULL when it is not up */
	const char *code, *error; /* of the last end, while there is no connection; NULL: none */
};
void relay_link_describe(const struct relay_link *, struct relay_link_description *);

/* The context has other credentials: makes a new session with them. */
void relay_link_renew(struct relay_link *);
/* The context has another endpoint table, or trusts other relays. */
void relay_link_refresh(struct relay_link *, int64_t now_s);
void relay_link_judge_again(struct relay_link *, int64_t now_s);
/* Every second: makes a new session in time, before the relay's certificate ends that this one began with. */
void relay_link_move_over(struct relay_link *, int64_t now_s);
/* Tells the relay that the agent drains. From now on no session is made. */
void relay_link_drain(struct relay_link *, uint32_t deadline_ms);
/* The same, and ends what sessions there are. */
void relay_link_goodbye(struct relay_link *);

/* The links to all relays of the list, as one object. */
struct relay_links {
	const struct agent_context *context;
	void (*on_event)(void *arg, enum relay_event);
	void *arg;
	struct relay_link **links;
	size_t count;
	uint8_t last_owner; /* given to the newest link */
};

void relay_links_init(struct relay_links *, const struct agent_context *,
    void (*on_event)(void *arg, enum relay_event), void *arg);
void relay_links_wipe(struct relay_links *);
/* Makes a link to each of these targets, keeps those that there are already, and frees all others.
 * False when memory is short: then nothing has changed. */
bool relay_links_set(struct relay_links *, const struct conf_texts *targets);
size_t relay_links_up_count(const struct relay_links *);
/* The context has other credentials.  Links that are up make a new session only if `all` is set. */
void relay_links_renew(struct relay_links *, bool all);
/* These do to all links what the functions above do to one. */
void relay_links_refresh(struct relay_links *, int64_t now_s);
void relay_links_judge_again(struct relay_links *, int64_t now_s);
void relay_links_move_over(struct relay_links *, int64_t now_s);
void relay_links_drain(struct relay_links *, uint32_t deadline_ms);
void relay_links_goodbye(struct relay_links *);

#endif
