/*
 * A bounded queue of things that are not finished yet (hellos, handshakes),
 * shared by all workers and counted by the block of addresses they come from. A
 * newcomer is always let in; when that makes too many, the oldest place of the
 * block that has most must leave.  So a flood displaces itself.
 *
 *	place = admission_enter(queue, loop, &block, on_evict, arg);
 *	admission_grow(place, bytes)        as it takes memory
 *	admission_leave(place)              when finished, or given up
 *
 * on_evict is called by a message in the loop that the place was entered with,
 * never inside one of these calls.  The place no longer counts, but its owner
 * still leaves it with admission_leave().
 */
#ifndef RELAY_ADMISSION_H
#define RELAY_ADMISSION_H

#include <stddef.h>
#include <stdint.h>
#include "base/address.h"
#include "base/loop.h"

struct admission;
struct admission_place;

struct admission_bounds {
	uint64_t most; /* places in all */
	uint64_t most_per_block;
	uint64_t most_bytes; /* in all; 0: no bound */
};

/* NULL when memory is short. */
struct admission *admission_new(const struct admission_bounds *);
/* All places must have been left, and their messages delivered. */
void admission_free(struct admission *);
/* The bounds hold from now on; nobody is evicted before the next one enters. */
void admission_set_bounds(struct admission *, const struct admission_bounds *);

/* NULL when memory is short. */
struct admission_place *admission_enter(struct admission *, struct loop *,
    const struct prefix *block, void (*on_evict)(void *arg), void *arg);
void admission_grow(struct admission_place *, size_t bytes);
/* Called from the place's own thread; NULL is fine. */
void admission_leave(struct admission_place *);
uint64_t admission_count(struct admission *);

#endif
