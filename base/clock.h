/*
 * Time: a monotonic clock for deadlines and the wall clock for certificates
 * and logs.  Tests may set either by hand.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds since some fixed point; never goes back. */
uint64_t clock_ms(void);
/* Microseconds of the same clock. */
uint64_t clock_us(void);
/* Seconds since 1970, UTC. */
int64_t clock_wall_s(void);
/* Microseconds since 1970, UTC. */
int64_t clock_wall_us(void);

/* From now on both clocks stand still where the test puts them; 0 goes back to the real ones. */
void clock_fake(uint64_t monotonic_us, int64_t wall_us);

#endif
