/*
 * Time: a monotonic clock for deadlines and the wall clock for certificates
 * and logs.  Tests may hold both, see clock_fake.h.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds since some fixed point; never goes back. */
uint64_t clock_ms(void);
/* The same clock in microseconds. */
uint64_t clock_us(void);
/* Seconds since 1970, UTC. */
int64_t clock_wall_s(void);
/* Microseconds since 1970, UTC. */
int64_t clock_wall_us(void);

#endif
