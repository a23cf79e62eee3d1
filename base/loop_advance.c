/* Time that passes without being waited for. */
#include "base/loop_advance.h"

#include <assert.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/clock_fake.h"
#include "base/clock_private.h"
#include "base/log.h"
#include "base/loop_private.h"

enum { TURNS_MOST = 1000000 };

/* Turns until nothing is left to do at this moment.  False when the loop was stopped. */
static bool
come_to_rest(struct loop *loop)
{
	for (int turn = 0; turn < TURNS_MOST; turn++) {
		uint64_t moves = loop->moves;

		if (loop_was_stopped(loop))
			return false;
		loop_turn(loop, false);
		if (loop->moves == moves)
			return true;
	}
	log_event(LOG_ERROR, "loop-failed", "the loop does not come to rest");
	abort();
}

bool
loop_advance(struct loop *loop, uint64_t ms)
{
	uint64_t until_us = clock_us() + ms * 1000;
	const struct timer *next;

	assert(clock_is_fake());
	while (come_to_rest(loop)) {
		next = loop_first_timer(loop);
		if (!next || next->due_us > until_us) {
			if (clock_us() >= until_us) /* a handler may have moved it, too */
				return true;
			clock_fake_move(until_us);
		} else
			clock_fake_move(next->due_us);
	}
	return false;
}
