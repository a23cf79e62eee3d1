/*
 * An announcement that waits until its session takes it (agent_session_endpoints.c): as
 * small as what the agent has said, since a frame brings hundreds, and a decoded one has room for
 * the longest names.
 *
 * Shared by:     all sessions of all workers.
 * Bound:         what one frame brings, for each session: nothing more is read until all of it is
 *                taken, some in each turn of the loop.  That is 16 KiB at most, four octets for each one
 *                that the agent has sent, and sessions have bounds of their own.
 * Who leaves:    nobody.
 */
#ifndef RELAY_ANNOUNCEMENT_H
#define RELAY_ANNOUNCEMENT_H

#include <stdint.h>
#include <sys/queue.h>

struct frame_announce;

struct announcement {
	STAILQ_ENTRY(announcement) link;
	uint32_t endpoint;
	uint16_t weight, facts_bytes;
	uint8_t carriers;
	/* The server name, behind its end mark the name, and behind that one's the facts. */
	char texts[];
};

/* With its facts. NULL when memory is short; free() it. */
struct announcement *announcement_new(const struct frame_announce *);
/* The facts are borrowed from the announcement. */
void announcement_frame(const struct announcement *, struct frame_announce *out);

#endif
