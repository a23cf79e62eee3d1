/*
 * A loop's time in a test's hand.  Tests only, like clock_fake.h.
 */
#ifndef BASE_LOOP_ADVANCE_H
#define BASE_LOOP_ADVANCE_H

#include <stdbool.h>
#include <stdint.h>

struct loop;

/*
 * Lets `ms` milliseconds pass on the fake clocks (which must be set) and runs what comes due in
 * that time, each at its own time: the clocks go from deadline to deadline, and at each of them
 * descriptors, calls, timers and tasks run until nothing is left to do there, before they go on.
 * No real time passes.  0 ms does what can be done now.
 *
 * False when loop_stop() came: the clocks stand at that moment, and the rest of the time has not
 * passed.  A loop that does not come to rest at one moment is a fault, and ends the program.
 *
 * The clocks are those of the whole process.  The loops of other threads see the new time when
 * something wakes them.
 */
bool loop_advance(struct loop *, uint64_t ms);

#endif
