/*
 * A bounded crowd of things that are not finished yet (hellos, handshakes),
 * shared by all workers and counted by the block of addresses they come from.
 * Who enters is always let in; when that makes too many, somebody must leave:
 * the oldest of the block that has most.  So a flood displaces itself.
 *
 *	place = crowd_enter(crowd, loop, &block, on_evict, arg);
 *	crowd_grow(place, bytes)        as it takes memory
 *	crowd_leave(place)              when finished, or given up
 *
 * on_evict is called in the loop that the place was entered with, by a message,
 * never inside one of these calls; the place is still left with crowd_leave().
 * It no longer counts from the moment it was chosen.
 */
#ifndef RELAY_CROWD_H
#define RELAY_CROWD_H

#include <stddef.h>
#include <stdint.h>
#include "base/address.h"
#include "base/loop.h"

struct crowd;
struct crowd_place;

struct crowd_bounds {
	uint64_t most;		/* places in all */
	uint64_t most_per_block;
	uint64_t most_bytes;	/* in all; 0: no bound */
};

/* NULL when memory is short. */
struct crowd *crowd_new(const struct crowd_bounds *);
/* All places must have been left, and their messages delivered. */
void crowd_free(struct crowd *);
/* From now on; nobody is evicted before the next one enters. */
void crowd_set_bounds(struct crowd *, const struct crowd_bounds *);

/* NULL when memory is short. */
struct crowd_place *crowd_enter(struct crowd *, struct loop *, const struct prefix *block,
    void (*on_evict)(void *arg), void *arg);
void crowd_grow(struct crowd_place *, size_t bytes);
/* From the place's own thread; NULL is fine. */
void crowd_leave(struct crowd_place *);
uint64_t crowd_count(struct crowd *);

#endif
