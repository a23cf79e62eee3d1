/*
 * The clocks in a test's hand.  Tests only: this object is linked into no
 * program, and a lint test holds it so.  A loop follows the fake clock too, see
 * loop_advance.h.
 */
#ifndef BASE_CLOCK_FAKE_H
#define BASE_CLOCK_FAKE_H

#include <stdint.h>

/* From now on both clocks stand still where the test puts them, in all threads; 0 goes back to the
 * real ones. */
void clock_fake(uint64_t monotonic_us, int64_t wall_us);
/* Moves both fake clocks on, so that clock_us() says this; never backwards. */
void clock_fake_move(uint64_t monotonic_us);

#endif
