/* Tests of tunnel/standstill: the bound that memory in use leaves to flows that stand still. */
#include "tunnel/standstill.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/address.h"
#include "base/clock_fake.h"
#include "base/loop.h"
#include "base/loop_advance.h"
#include "base/shares.h"
#include "tunnel/frame.h"
#include "tunnel/stalls.h"

#define MIB (UINT64_C(1) << 20)
#define MUCH (UINT64_C(1) << 40)

static struct loop *loop;
static struct standstills all;
static struct standstill flows[2];
static unsigned evicted;

static void
on_evict(void *arg)
{
	standstill_note(&all, arg, NULL, 0, 0);
	evicted++;
}

static void
hold_for(struct standstill *flow, const char *from, uint64_t kernel_bytes)
{
	struct address client;
	struct shares_entrant entrant = {
		.loop = loop, .client = &client, .on_evict = on_evict, .arg = flow
	};

	assert_true(address_parse(&client, from));
	standstill_note(&all, flow, &entrant, 0, kernel_bytes);
	assert_true(loop_advance(loop, 0));
}

static void
hold(struct standstill *flow, uint64_t kernel_bytes)
{
	hold_for(flow, "192.0.2.1:4711", kernel_bytes);
}

/* Of two that come one after the other, how many have to go. */
static unsigned
evicted_of_two(void)
{
	unsigned count;

	evicted = 0;
	hold(&flows[0], MIB);
	hold(&flows[1], MIB);
	count = evicted;
	hold(&flows[0], 0);
	hold(&flows[1], 0);
	return count;
}

static void
nobody_goes_for_a_shortage_that_is_over(void **state)
{
	(void)state;
	hold(&flows[0], MIB);
	standstills_set_bound(&all, 1);
	hold(&flows[0], 0);
	standstills_set_bound(&all, MUCH);
	assert_int_equal(evicted_of_two(), 0);
}

static void
a_bound_is_there_before_the_first_one_comes(void **state)
{
	(void)state;
	standstills_set_bound(&all, MIB);
	assert_int_equal(evicted_of_two(), 1);
}

static void
what_is_in_use_counts_when_somebody_stands_still(void **state)
{
	(void)state;
	evicted = 0;
	standstills_set_bound(&all, 4 * MIB);
	hold(&flows[0], MIB);
	hold(&flows[1], MIB);
	assert_int_equal(evicted, 0);
	void *volatile used = malloc(4 * MIB);
	assert_non_null(used);
	standstills_set_bound(&all, 4 * MIB);
	hold(&flows[1], MIB);
	assert_int_equal(evicted, 1);
	free(used);
	hold(&flows[1], 0);
}

/* However much memory there is, beyond that the kernel takes from everybody. */
static void
the_kernels_part_is_what_tcp_may_have(void **state)
{
	(void)state;
	all.kernel_most = 2 * MIB;
	standstills_set_bound(&all, MUCH);
	assert_int_equal(evicted_of_two(), 1);
	atomic_store(&all.own_bytes, MIB);
	standstills_set_bound(&all, MUCH);
	assert_int_equal(evicted_of_two(), 0);
	atomic_store(&all.own_bytes, 0);
	all.kernel_most = UINT64_MAX;
	standstills_set_bound(&all, MUCH);
	assert_int_equal(evicted_of_two(), 0);
}

static void
nobody_goes_when_it_is_off(void **state)
{
	(void)state;
	standstills_set_bound(&all, 0);
	assert_int_equal(evicted_of_two(), 0);
}

/* Its place is needed, and it has waited so long. */
static bool
must_end(struct standstill *flow, uint64_t waited_ms)
{
	static const uint8_t id[FLOW_ID_BYTES];
	struct address client;

	assert_true(address_parse(&client, "192.0.2.1:4711"));
	return standstill_must_end(&all, flow, waited_ms, &client, id);
}

/* It moves a little whenever its place is needed, and never takes all. */
static void
a_reader_that_drips_is_let_off_twice(void **state)
{
	(void)state;
	standstills_set_bound(&all, 0);
	for (int i = 0; i < STANDSTILL_LET_OFF_MOST; i++) {
		hold(&flows[0], MIB);
		assert_false(must_end(&flows[0], STALLS_LOOK_MS - 1));
		assert_int_equal(shares_count(all.shares), 0);
	}
	hold(&flows[0], MIB);
	assert_true(must_end(&flows[0], STALLS_LOOK_MS - 1));
	assert_int_equal(shares_count(all.shares), 0);
}

static void
who_takes_all_that_there_is_begins_anew(void **state)
{
	(void)state;
	standstills_set_bound(&all, 0);
	for (int i = 0; i < 3 * STANDSTILL_LET_OFF_MOST; i++) {
		hold(&flows[0], MIB);
		assert_false(must_end(&flows[0], 0));
		hold(&flows[0], i % STANDSTILL_LET_OFF_MOST ? 0 : MIB);
	}
	hold(&flows[0], 0);
}

static void
who_stands_still_is_never_let_off(void **state)
{
	(void)state;
	standstills_set_bound(&all, 0);
	hold(&flows[0], MIB);
	assert_true(must_end(&flows[0], STALLS_LOOK_MS));
}

/* Of eight flows that hold a megabyte together, and of two others that hold two. */
static void
who_holds_most_goes_and_not_who_has_most_flows(void **state)
{
	static struct standstill light[8], heavy[2];

	(void)state;
	evicted = 0;
	standstills_set_bound(&all, 4 * MIB);
	for (int i = 0; i < 8; i++)
		hold_for(&light[i], "192.0.2.1:4711", MIB / 8);
	for (int i = 0; i < 2; i++)
		hold_for(&heavy[i], "198.51.100.7:4711", MIB);
	assert_int_equal(evicted, 0);
	hold_for(&heavy[1], "198.51.100.7:4711", MIB + STANDSTILL_UNIT_BYTES);
	assert_int_equal(evicted, 1);
	assert_null(heavy[0].place);
	for (int i = 0; i < 8; i++)
		hold(&light[i], 0);
	hold(&heavy[1], 0);
}

/* The kernel has got rid of some of it. */
static void
who_holds_less_than_before_counts_for_less(void **state)
{
	(void)state;
	evicted = 0;
	standstills_set_bound(&all, 4 * MIB);
	hold(&flows[0], 3 * MIB);
	hold(&flows[0], MIB);
	hold(&flows[1], 2 * MIB);
	assert_int_equal(evicted, 0);
	hold(&flows[0], 0);
	hold(&flows[1], 0);
}

static int
set_up(void **state)
{
	(void)state;
	clock_fake(1000000, 1000000);
	loop = loop_new();
	return loop && standstills_init(&all) ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	loop_free(loop);
	standstills_wipe(&all);
	clock_fake(0, 0);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_goes_for_a_shortage_that_is_over),
		cmocka_unit_test(a_bound_is_there_before_the_first_one_comes),
		cmocka_unit_test(what_is_in_use_counts_when_somebody_stands_still),
		cmocka_unit_test(the_kernels_part_is_what_tcp_may_have),
		cmocka_unit_test(nobody_goes_when_it_is_off),
		cmocka_unit_test(a_reader_that_drips_is_let_off_twice),
		cmocka_unit_test(who_takes_all_that_there_is_begins_anew),
		cmocka_unit_test(who_stands_still_is_never_let_off),
		cmocka_unit_test(who_holds_most_goes_and_not_who_has_most_flows),
		cmocka_unit_test(who_holds_less_than_before_counts_for_less),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
