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
 * counts as one that ended soon.  How a relay that is away is logged is in base/outage.h.
 * After a permanent refusal the next attempt follows after five minutes, or at once when
 * a file that may cure it has changed.  Permanent is only what a verified relay
 * has said, or what our own files show: what came before may be the word of
 * somebody in between, and has the ordinary back-off.
 */
#ifndef AGENT_RELAY_LINK_H
#define AGENT_RELAY_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tunnel/code.h"

struct agent_context;
struct relay_link;

enum relay_event {
	RELAY_CHANGED, /* came up or went down, or relay_link_serves_all() has changed */
	/* A permanent refusal, of the session or of an endpoint; it is logged. */
	RELAY_REFUSED,
};

/* Dials at once, unless it is told to wait first.  owner: by which what its flows take is counted
 * (base/shares.h).  NULL when memory is short. */
struct relay_link *relay_link_new(const struct agent_context *, const char *target, uint8_t owner,
    void (*on_event)(void *arg, enum relay_event), void *arg);
/* Right after that. */
void relay_link_wait(struct relay_link *, uint64_t ms);
void relay_link_free(struct relay_link *);

bool relay_link_is_up(const struct relay_link *);
/* The relay routes every endpoint here. */
bool relay_link_serves_all(const struct relay_link *);
const char *relay_link_target(const struct relay_link *);
uint8_t relay_link_owner(const struct relay_link *);

/* For people; the texts are borrowed until the link does something. */
struct relay_link_description {
	const char *target;
	const char *state;        /* "waiting", "connecting", "up", "stopped" */
	int64_t since_s;          /* connected, or without a connection, since */
	const char *relay;        /* how it calls itself; NULL when it is not up */
	size_t endpoints;         /* that it routes here */
	uint64_t rtt_us;          /* of the last heartbeat; 0: none */
	unsigned channels;        /* parked */
	const char *code, *error; /* of the last end, while there is no connection; NULL: none */
};
void relay_link_describe(const struct relay_link *, struct relay_link_description *);

/* As relay_session_endpoint_state() says it. */
const char *relay_link_endpoint_state(
    const struct relay_link *, uint32_t endpoint, enum code *refused);

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

#endif
