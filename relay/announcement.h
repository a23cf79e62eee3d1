/*
 * An announcement as its agent has made it: while it waits until its session takes it
 * (agent_session_endpoints.c), then with its endpoint, and for a minute after the session
 * (resumption.h).  It is as small as what the agent has said, since a frame brings hundreds, and a decoded
 * one has room for the longest names.
 *
 * Shared by:     all sessions of all workers.
 * Bound:         what one frame brings, for each session: nothing more is read until all of it is
 *                taken, some in each turn of the loop.  That is 16 KiB at most, four octets for each one
 *                that the agent has sent, and sessions have bounds of their own.  Those that are taken
 *                are as many as there are endpoints, and those that are kept have the bound of
 *                resumption.h.
 * Who leaves:    nobody.
 */
#ifndef RELAY_ANNOUNCEMENT_H
#define RELAY_ANNOUNCEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct frame_announce;

struct announcement {
	STAILQ_ENTRY(announcement) link;
	uint32_t endpoint;
	uint16_t weight, facts_bytes;
	uint8_t carriers;
	bool is_resumed; /* it was made in a session before */
	/* The server name, behind its end mark the name, and behind that one's the facts. */
	char texts[];
};
STAILQ_HEAD(announcement_list, announcement);

/* With its facts. NULL when memory is short; free() it. */
struct announcement *announcement_new(const struct frame_announce *);
/* Borrowed. */
const char *announcement_server_name(const struct announcement *);
const char *announcement_name(const struct announcement *);
/* What it takes of memory, some more than it has. */
size_t announcement_bytes(const struct announcement *);
/* The facts are borrowed from the announcement. */
void announcement_frame(const struct announcement *, struct frame_announce *out);

#endif
