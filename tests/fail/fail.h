/*
 * The allocator between our own objects and the library, linked with ld's --wrap (FAIL_WRAP in the
 * makefile): what libraries allocate for themselves passes by.  Who steers it says which allocation
 * fails, once; in whatever thread.  The wall clock is steered, too: a host's may be wrong.
 *
 * A program ($B/fail/PROGRAM) is steered from outside, by a small file that both map and that
 * VALISE_FAIL names: tests/system/lib/memory.py and clock.py are the other end, and know this layout.  A unit test
 * (*allocation_test.c) steers itself, see tests/allocation.h.
 */
#ifndef TESTS_FAIL_FAIL_H
#define TESTS_FAIL_FAIL_H

#include <stdatomic.h>
#include <stdint.h>

struct fail_steering {
	_Atomic uint64_t made;		/* allocations so far */
	_Atomic uint64_t fail_at;	/* the one that fails, counted from 1; 0: none */
	_Atomic uint64_t failed;	/* how many have */
	_Atomic int64_t wall_off_s;	/* how far the wall clock is off */
};

/* NULL: nothing fails, and nothing is counted.  Set it before there is another thread. */
extern struct fail_steering *fail_steering;

#endif
