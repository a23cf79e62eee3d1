/*
 * Which endpoints a relay knows of, over one session: announced after the
 * welcome, withdrawn and announced as the table changes, and those refused
 * tried again: passing refusals with back-off, those for good every five
 * minutes.  One refused endpoint never takes the others down.
 *
 * A few at a time are under way, so that a long table fits the session's queue.
 */
#ifndef AGENT_ANNOUNCER_H
#define AGENT_ANNOUNCER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "tunnel/code.h"

struct announcer;
struct endpoint_table;
struct session;

enum { ANNOUNCER_UNDER_WAY = 64 };

/* The session is borrowed while the announcer lives; relay (borrowed) is for the log. */
struct announcer *announcer_new(struct loop *, struct session *, const char *relay);
void announcer_free(struct announcer *);

/* From now on these; at once for what is new or gone. False: memory is short. */
bool announcer_show(struct announcer *, const struct endpoint_table *);
/* The relay's answers. */
void announcer_accepted(struct announcer *, uint32_t endpoint);
void announcer_refused(struct announcer *, uint32_t endpoint, enum code, const char *sentence);
size_t announcer_accepted_count(const struct announcer *);

#endif
