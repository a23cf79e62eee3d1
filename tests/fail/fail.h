/*
 * The allocator between our own objects and the library, linked with ld's --wrap (FAIL_WRAP in the
 * makefile): what libraries allocate for themselves passes by.  Who steers it says which allocation
 * fails, once; in whatever thread.  The wall clock is steered, too: a host's may be wrong.
 *
 * So are some system calls that ask the kernel for something: those of a mask fail with the errno that is
 * given, for as long as it is.
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
	_Atomic uint64_t calls;		/* which system calls fail, of enum fail_calls */
	_Atomic int64_t error;		/* with this errno */
};

enum fail_calls {
	FAIL_ACCEPT = 1 << 0,
	FAIL_SOCKET = 1 << 1,
	FAIL_CONNECT = 1 << 2,
	FAIL_PIPE = 1 << 3,
	FAIL_WATCH = 1 << 4,	/* epoll_ctl() to add or change */
};

/* NULL: nothing fails, and nothing is counted.  Set it before there is another thread. */
extern struct fail_steering *fail_steering;

#endif
