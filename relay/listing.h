/*
 * The long lists that the relay's operator may ask for, and what he ends: the words agents, routes,
 * flows and kick of the admin socket.
 */
#ifndef RELAY_LISTING_H
#define RELAY_LISTING_H

#include <jansson.h>
#include <stdbool.h>

#include "base/daemon_rows.h"
#include "base/listing.h"

struct admin_question;
struct loop;
struct rules;
struct shared;

/* Where lists come from. */
struct listing_place {
	struct listings *all;
	struct loop *loop; /* the main one */
	const struct shared *shared;
	struct rules *rules; /* in force */
};

/* A part for each worker, whose steps get its struct worker_context; how many there are. */
unsigned listing_sources(const struct shared *, bool (*step)(void *, struct listing_step *),
    struct listing_source sources[DAEMON_WORKERS_MOST]);

/* The question says which of them by what relay/listing_filter.h reads. */
void listing_agents(struct admin_question *, const struct listing_place *, const json_t *question);
void listing_flows(struct admin_question *, const struct listing_place *, const json_t *question);
/* Of the member "name" alone, if there is one. */
void listing_routes(struct admin_question *, const struct listing_place *, const json_t *question);

#endif
