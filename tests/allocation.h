/*
 * Makes one allocation of our own objects fail: the n-th one from now on, in
 * whatever thread.  Only for tests called *allocation_test.c, which the makefile
 * links with tests/fail/fail.c.
 *
 *	do { allocation_fail(++n); ...; } while (allocation_failed());
 */
#ifndef TESTS_ALLOCATION_H
#define TESTS_ALLOCATION_H

#include <stdbool.h>

#include "fail/fail.h"

static struct fail_steering allocation_steering;

__attribute__((constructor)) static void
allocation_steer(void)
{
	fail_steering = &allocation_steering;
}

/* 0: none. */
static inline void
allocation_fail(unsigned n)
{
	atomic_store(&allocation_steering.failed, 0);
	atomic_store(&allocation_steering.fail_at, n ? atomic_load(&allocation_steering.made) + n : 0);
}

static inline bool
allocation_failed(void)
{
	return atomic_load(&allocation_steering.failed) > 0;
}

#endif
