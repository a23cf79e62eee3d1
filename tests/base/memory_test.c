/* Tests of base/memory: when memory is given back, and that it is. */
#include "base/memory.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "helpers.h"
#include "skip.h"

enum { PIECES = 20000, PIECE_BYTES = 2000, SECONDS = 10 };

static bool
ebbs_within(struct memory_tide *tide, uint64_t count, int seconds)
{
	bool has_ebbed = false;

	for (int i = 0; i < seconds && !has_ebbed; i++)
		has_ebbed = memory_has_ebbed(tide, count);
	return has_ebbed;
}

/* As slowly as nobody minds. */
static void
rise(struct memory_tide *tide, uint64_t count)
{
	for (uint64_t there = 0; there < count; there += 400)
		assert_false(memory_has_ebbed(tide, there));
	assert_false(memory_has_ebbed(tide, count));
}

static void
ebbs_when_a_third_has_been_gone_for_a_while(void **state)
{
	struct memory_tide tide = { 0 };

	(void)state;
	rise(&tide, 10000);
	assert_false(ebbs_within(&tide, 6667, 10 * SECONDS));
	assert_false(ebbs_within(&tide, 6666, SECONDS - 1));
	assert_false(memory_has_ebbed(&tide, 7000)); /* they come back */
	assert_false(ebbs_within(&tide, 6666, SECONDS - 1));
	assert_true(memory_has_ebbed(&tide, 4500));
	assert_false(ebbs_within(&tide, 3000, 10 * SECONDS)); /* two thirds of what there was then */
	assert_true(ebbs_within(&tide, 0, SECONDS));
	assert_false(ebbs_within(&tide, 0, 10 * SECONDS));
}

static void
a_few_are_no_tide(void **state)
{
	struct memory_tide tide = { 0 };

	(void)state;
	assert_false(memory_has_ebbed(&tide, 499));
	assert_false(ebbs_within(&tide, 0, 10 * SECONDS));
	assert_false(memory_has_ebbed(&tide, 500));
	assert_true(ebbs_within(&tide, 0, SECONDS));
}

static void
ebbs_when_no_more_have_come_for_a_while(void **state)
{
	struct memory_tide tide = { 0 };

	(void)state;
	assert_false(memory_has_ebbed(&tide, 1000));
	assert_false(memory_has_ebbed(&tide, 2000));
	assert_false(ebbs_within(&tide, 2000, SECONDS - 1));
	assert_false(memory_has_ebbed(&tide, 2670)); /* more come */
	assert_false(ebbs_within(&tide, 2700, SECONDS - 1));
	assert_true(memory_has_ebbed(&tide, 2700));
	assert_false(ebbs_within(&tide, 2700, 10 * SECONDS));
}

static size_t
resident_kib(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	char line[256];
	size_t kib = 0;

	assert_non_null(status);
	while (fgets(line, sizeof line, status) && sscanf(line, "VmRSS: %zu", &kib) != 1)
		;
	fclose(status);
	return kib;
}

static char *pieces[PIECES];

/* In the arena of another thread.  A last one stays at the end, so that nothing goes back by itself. */
static void *
fill(void *unused)
{
	for (int i = 0; i < PIECES; i++) {
		pieces[i] = malloc(PIECE_BYTES);
		memset(pieces[i], 1, PIECE_BYTES);
	}
	for (int i = 0; i < PIECES - 1; i++)
		free(pieces[i]);
	return unused;
}

extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static void
what_was_freed_is_given_back(void **state)
{
	const size_t all_kib = (size_t)PIECES * PIECE_BYTES / 1024;
	pthread_t thread;
	size_t before;

	(void)state;
	if (__sanitizer_get_current_allocated_bytes)
		SKIP("a sanitizer has an allocator of its own");
	assert_int_equal(pthread_create(&thread, NULL, fill, NULL), 0);
	pthread_join(thread, NULL);
	before = resident_kib();
	memory_give_back();
	assert_in_range(before - resident_kib(), all_kib * 9 / 10, before);
	free(pieces[PIECES - 1]);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(ebbs_when_a_third_has_been_gone_for_a_while),
	cmocka_unit_test(ebbs_when_no_more_have_come_for_a_while),
	cmocka_unit_test(a_few_are_no_tide),
	cmocka_unit_test(what_was_freed_is_given_back),
};

RUN_TESTS("memory", tests)
