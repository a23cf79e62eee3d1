/* Tests of base/rate: how much may begin in a second, and whose it is. */
#include "base/rate.h"

#include <stdio.h>
#include "base/address.h"
#include "base/clock_fake.h"
#include "helpers.h"

enum { A_SECOND_US = 1000000, KIND = 3, OTHER = 4 };

static struct rate_table *rates;
static uint64_t now_us;

static void
pass_time(uint64_t us)
{
	now_us += us;
	clock_fake(now_us, 1767225600000000);
}

static int
set_up(void **state)
{
	(void)state;
	now_us = 1000 * UINT64_C(1000000);
	pass_time(0);
	rates = rate_table_new();
	return !rates;
}

static int
tear_down(void **state)
{
	(void)state;
	rate_table_free(rates);
	clock_fake(0, 0);
	return 0;
}

static void
bound(uint64_t per_host, uint64_t per_network, uint64_t in_all)
{
	const struct rate_bounds bounds = { per_host, per_network, in_all, 0 };

	rate_set(rates, KIND, &bounds);
}

static enum rate_verdict
take(const char *client)
{
	struct address address;

	assert_true(address_parse(&address, client));
	return rate_take(rates, KIND, &address);
}

static unsigned
take_many(const char *client, unsigned times)
{
	unsigned taken = 0;

	for (unsigned i = 0; i < times; i++)
		taken += take(client) == RATE_OK;
	return taken;
}

/* So many times a second for so long, evenly. */
static unsigned
take_for(const char *client, unsigned a_second, unsigned seconds)
{
	unsigned taken = 0;

	for (unsigned i = 0; i < a_second * seconds; i++) {
		pass_time(A_SECOND_US / a_second);
		taken += take(client) == RATE_OK;
	}
	return taken;
}

static void
assert_about(double is, double wanted)
{
	if (is < wanted * 0.9 || is > wanted * 1.1)
		fail_msg("%g is not about %g", is, wanted);
}

static void
without_bounds_everything_passes(void **state)
{
	(void)state;
	assert_int_equal(take_many("192.0.2.1:1", 100000), 100000);
}

static void
a_host_has_its_tokens_at_once_and_then_so_many_a_second(void **state)
{
	static const unsigned bounds[] = { 1, 2, 5, 20, 1000 };

	(void)state;
	for (unsigned i = 0; i < COUNT(bounds); i++) {
		bound(bounds[i], 0, 0);
		pass_time(20 * A_SECOND_US);
		assert_int_equal(take_many("192.0.2.1:1", 5000), bounds[i]);
		assert_int_equal(take("192.0.2.1:2"), RATE_HOST);
		assert_about(take_for("192.0.2.1:1", 4000, 50), 50 * bounds[i]);
	}
	assert_int_equal(take("192.0.2.2:1"), RATE_OK);
}

static void
an_ipv6_host_is_its_64_and_a_network_its_48(void **state)
{
	char client[ADDRESS_TEXT];

	(void)state;
	bound(2, 10, 0);
	assert_int_equal(take("[2001:db8::1]:1"), RATE_OK);
	assert_int_equal(take("[2001:db8::2]:1"), RATE_OK);
	assert_int_equal(take("[2001:db8::3]:1"), RATE_HOST);
	for (unsigned i = 1; i <= 8; i++) {
		snprintf(client, sizeof client, "[2001:db8:0:%u::1]:1", i);
		assert_int_equal(take(client), RATE_OK);
	}
	assert_int_equal(take("[2001:db8:0:9::1]:1"), RATE_NETWORK);
	assert_int_equal(take("[2001:db8:1::1]:1"), RATE_OK);
}

static void
an_ipv4_network_is_its_24(void **state)
{
	(void)state;
	bound(0, 3, 0);
	assert_int_equal(take("192.0.2.1:1"), RATE_OK);
	assert_int_equal(take("192.0.2.2:1"), RATE_OK);
	assert_int_equal(take("192.0.2.255:1"), RATE_OK);
	assert_int_equal(take("192.0.2.3:1"), RATE_NETWORK);
	assert_int_equal(take("192.0.3.3:1"), RATE_OK);
}

static void
kinds_count_by_themselves(void **state)
{
	struct address address;
	const struct rate_bounds one = { 1, 0, 0, 0 };

	(void)state;
	bound(1, 0, 0);
	rate_set(rates, OTHER, &one);
	assert_true(address_parse(&address, "192.0.2.1:1"));
	assert_int_equal(take("192.0.2.1:1"), RATE_OK);
	assert_int_equal(rate_take(rates, OTHER, &address), RATE_OK);
	assert_int_equal(rate_take(rates, OTHER, &address), RATE_HOST);
}

static void
one_block_alone_gets_four_fifths(void **state)
{
	(void)state;
	bound(0, 0, 100);
	assert_about(take_many("192.0.2.1:1", 1000), 80);
	assert_int_equal(take("192.0.2.1:1"), RATE_SHARE);
	assert_about(take_for("192.0.2.1:1", 1000, 10), 800);
}

static void
who_takes_little_is_served_under_a_flood(void **state)
{
	static const char *const flooders[] = { "192.0.2.1:1", "198.51.100.1:1", "203.0.113.1:1",
		"[2001:db8::1]:1", "[2001:db8:7::1]:1" };
	unsigned taken[COUNT(flooders)] = { 0 }, quiet = 0;

	(void)state;
	bound(0, 0, 100);
	for (unsigned i = 0; i < 100000; i++) {
		unsigned who = i % COUNT(flooders);

		pass_time(100);
		taken[who] += take(flooders[who]) == RATE_OK;
		if (i % 5000 == 0)
			quiet += take("10.0.0.1:1") == RATE_OK;
	}
	assert_int_equal(quiet, 20);
	for (unsigned i = 0; i < COUNT(flooders); i++)
		assert_about(taken[i], (100 * 10 - 20) / 5.0);
}

static void
assert_one_block(const char *front, const char *rear)
{
	char client[ADDRESS_TEXT];

	bound(0, 0, 100);
	for (unsigned i = 0; i < 2000; i++) {
		snprintf(client, sizeof client, "%s%u%s", front, i % 20, rear);
		take(client);
	}
	assert_int_equal(take(client), RATE_SHARE);
	assert_int_equal(take("10.0.0.1:1"), RATE_OK);
}

static void
twenty_hosts_of_one_network_are_one_block(void **state)
{
	(void)state;
	assert_one_block("192.0.2.", ":1");
	pass_time(20 * A_SECOND_US);
	assert_one_block("[2001:db8:0:", "::1]:1");
}

static void
all_together_have_a_bound(void **state)
{
	char client[ADDRESS_TEXT];
	unsigned taken = 0;

	(void)state;
	bound(0, 0, 50);
	for (unsigned i = 0; i < 200; i++) {
		snprintf(client, sizeof client, "10.0.%u.1:1", i);
		taken += take(client) == RATE_OK;
	}
	assert_int_equal(taken, 50);
	assert_int_equal(take("10.1.0.1:1"), RATE_ALL);
}

static void
what_is_refused_costs_nothing(void **state)
{
	(void)state;
	bound(1, 0, 10);
	assert_int_equal(take("192.0.2.1:1"), RATE_OK);
	assert_int_equal(take_many("192.0.2.1:1", 1000), 0);
	for (unsigned i = 0; i < 9; i++) {
		char client[ADDRESS_TEXT];

		snprintf(client, sizeof client, "10.0.%u.1:1", i);
		assert_int_equal(take(client), RATE_OK);
	}
}

static void
bounds_change_and_what_was_taken_stays_taken(void **state)
{
	(void)state;
	bound(10, 0, 0);
	assert_int_equal(take_many("192.0.2.1:1", 5), 5);
	bound(5, 0, 0);
	assert_int_equal(take("192.0.2.1:1"), RATE_HOST);
	bound(6, 0, 0);
	assert_int_equal(take("192.0.2.1:1"), RATE_OK);
}

static void
a_name_has_its_own_bound(void **state)
{
	const struct rate_bounds bounds = { .per_name = 3 };

	(void)state;
	assert_true(rate_take_name(rates, OTHER, "a.example"));
	rate_set(rates, OTHER, &bounds);
	pass_time(20 * A_SECOND_US);
	for (unsigned i = 0; i < 3; i++)
		assert_true(rate_take_name(rates, OTHER, "a.example"));
	assert_false(rate_take_name(rates, OTHER, "a.example"));
	assert_true(rate_take_name(rates, OTHER, "b.example"));
	pass_time(A_SECOND_US);
	assert_true(rate_take_name(rates, OTHER, "a.example"));
}

/* Four hundred thousand hosts do not make the table forget one that takes much. */
static void
who_took_most_stays_in_a_full_table(void **state)
{
	char client[ADDRESS_TEXT];

	(void)state;
	bound(10, 0, 0);
	assert_int_equal(take_many("192.0.2.1:1", 11), 10);
	for (unsigned i = 0; i < 400000; i++) {
		snprintf(client, sizeof client, "10.%u.%u.%u:1", i >> 16, i >> 8 & 255, i & 255);
		assert_int_equal(take(client), RATE_OK);
	}
	assert_int_equal(take("192.0.2.1:1"), RATE_HOST);
}

#define RATE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	RATE_TEST(without_bounds_everything_passes),
	RATE_TEST(a_host_has_its_tokens_at_once_and_then_so_many_a_second),
	RATE_TEST(an_ipv6_host_is_its_64_and_a_network_its_48),
	RATE_TEST(an_ipv4_network_is_its_24),
	RATE_TEST(kinds_count_by_themselves),
	RATE_TEST(one_block_alone_gets_four_fifths),
	RATE_TEST(who_takes_little_is_served_under_a_flood),
	RATE_TEST(twenty_hosts_of_one_network_are_one_block),
	RATE_TEST(all_together_have_a_bound),
	RATE_TEST(what_is_refused_costs_nothing),
	RATE_TEST(bounds_change_and_what_was_taken_stays_taken),
	RATE_TEST(a_name_has_its_own_bound),
	RATE_TEST(who_took_most_stays_in_a_full_table),
};

RUN_TESTS("rate", tests)
