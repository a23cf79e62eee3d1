/* The switch between the real clocks and the fake one: clock_fake.c sets it, clock.c and the loop obey it. */
#ifndef BASE_CLOCK_PRIVATE_H
#define BASE_CLOCK_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

/* 0: the clocks are real. */
extern _Atomic uint64_t clock_fake_monotonic_us;
extern _Atomic int64_t clock_fake_wall_us;

bool clock_is_fake(void);

#endif
