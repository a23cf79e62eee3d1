/*
 * The links to all relays of the list, as one object.
 *
 * When an agent starts it dials them a second apart, so that its sessions do not renew
 * themselves, end and come back together ever after.  A relay that a reload adds is
 * dialled at once.
 */
#ifndef AGENT_RELAY_LINKS_H
#define AGENT_RELAY_LINKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/relay_link.h"

struct conf_texts;

enum { RELAY_LINKS_APART_MS = 1000 };

struct relay_links {
	const struct agent_context *context;
	void (*on_event)(void *arg, enum relay_event);
	void *arg;
	struct relay_link **links;
	size_t count;
	bool has_begun; /* with the first list */
	/* Given to the newest link: from 1 on, and not that of a link that was freed lately, whose flows may
	 * live on. */
	uint8_t last_owner;
};

void relay_links_init(struct relay_links *, const struct agent_context *,
    void (*on_event)(void *arg, enum relay_event), void *arg);
void relay_links_wipe(struct relay_links *);
/* Makes a link to each of these targets, keeps those that there are already, and frees all others.
 * False when memory is short: then nothing has changed. */
bool relay_links_set(struct relay_links *, const struct conf_texts *targets);
size_t relay_links_up_count(const struct relay_links *);
/* Whether any relay routes every endpoint here: then all of them can be reached. */
bool relay_links_serve_all(const struct relay_links *);
/* The context has other credentials.  Links that are up make a new session only if `all` is set. */
void relay_links_renew(struct relay_links *, bool all);
/* These do to all links what the functions above do to one. */
void relay_links_refresh(struct relay_links *, int64_t now_s);
void relay_links_judge_again(struct relay_links *, int64_t now_s);
void relay_links_move_over(struct relay_links *, int64_t now_s);
void relay_links_drain(struct relay_links *, uint32_t deadline_ms);
void relay_links_goodbye(struct relay_links *);

#endif
