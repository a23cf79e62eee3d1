/* What several tests of relay/ need. */
#ifndef TESTS_RELAY_HELPERS_H
#define TESTS_RELAY_HELPERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include "base/address.h"
#include "base/loop.h"

struct turn_end {
	struct call call;
	struct loop *loop;
};

static inline void
turn_over(void *data)
{
	struct turn_end *end = data;

	loop_stop(end->loop);
	free(end);
}

/* Runs what was called up to now, and runs the tasks that came of it. */
static inline void
turn(struct loop *loop)
{
	struct turn_end *end = calloc(1, sizeof *end);

	assert_non_null(end);
	end->loop = loop;
	loop_call(loop, &end->call, turn_over, end);
	loop_run(loop);
}

static inline struct prefix
block_of(const char *text)
{
	struct prefix prefix;

	assert_true(prefix_parse(&prefix, text));
	return prefix;
}

static inline struct address
address_of(const char *text)
{
	struct address address;

	assert_true(address_parse(&address, text));
	return address;
}

#endif
