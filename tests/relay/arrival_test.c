/* Tests of relay/arrival and relay/name_flows: how fast agents and clients may come. */
#include "relay/arrival.h"

#include <stdio.h>
#include <string.h>
#include "base/clock_fake.h"
#include "base/rate.h"
#include "pki/identity.h"
#include "relay/helpers.h"
#include "relay/name_flows.h"
#include "relay/recent_peers.h"
#include "relay/settings.h"
#include "relay/shared.h"

enum { A_SECOND_US = 1000000 };

static struct shared shared;
static const uint8_t tenant[IDENTITY_KEY_BYTES];
static uint64_t now_us;

static int
set_up(void **state)
{
	const struct settings_limits limits = {
		.sessions_per_second = 400, .flows_per_second = 100, .flows_per_name_per_second = 5
	};

	(void)state;
	now_us = 1000 * UINT64_C(1000000);
	clock_fake(now_us, 0);
	shared = (struct shared){ .rates = rate_table_new(),
		.recent_peers = recent_peers_new(),
		.name_flows = name_flows_new() };
	assert_non_null(shared.rates);
	assert_non_null(shared.recent_peers);
	assert_non_null(shared.name_flows);
	arrival_set_bounds(shared.rates, &limits);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	rate_table_free(shared.rates);
	recent_peers_free(shared.recent_peers);
	name_flows_free(shared.name_flows);
	clock_fake(0, 0);
	return 0;
}

static void
pass_time(uint64_t us)
{
	now_us += us;
	clock_fake(now_us, 0);
}

static unsigned
agents(const char *from, bool is_session, unsigned times)
{
	struct address address = address_of(from);
	bool is_known = recent_peers_know(shared.recent_peers, &address);
	unsigned taken = 0;

	for (unsigned i = 0; i < times; i++)
		taken += !arrival_of_agent(shared.rates, &address, is_session, is_known);
	return taken;
}

static void
is_known(const char *from)
{
	struct address address = address_of(from);
	struct prefix site = prefix_block(&address, BLOCK_SITE);

	recent_peers_leave(
	    shared.recent_peers, recent_peers_enter(shared.recent_peers, &site, tenant));
}

static void
a_flood_of_session_hellos_is_let_in_at_twenty_a_second(void **state)
{
	struct address address = address_of("192.0.2.1:5");
	unsigned taken = agents("192.0.2.1:5", true, 1000);

	(void)state;
	assert_int_equal(taken, 20);
	assert_string_equal(arrival_of_agent(shared.rates, &address, true, false),
	    "limits.sessions_per_second: too many come from this address");
	assert_int_equal(agents("192.0.2.2:5", true, 1000), 20);
	assert_int_equal(agents("192.0.2.3:5", true, 1000), 0);
	assert_int_equal(agents("198.51.100.1:5", true, 1), 1);
}

static void
a_flood_from_everywhere_leaves_known_peers_alone(void **state)
{
	char from[ADDRESS_TEXT];
	unsigned taken = 0;

	(void)state;
	is_known("198.51.100.7:5");
	for (unsigned i = 0; i < 10000; i++) {
		snprintf(from, sizeof from, "10.%u.%u.1:5", i / 250, i % 250);
		taken += agents(from, true, 1);
	}
	assert_int_equal(taken, 400);
	assert_int_equal(agents("10.200.0.1:5", true, 1), 0);
	assert_int_equal(agents("198.51.100.7:5", true, 100), 100);
}

/* Of a site behind one address the first agents are strangers. */
static void
a_site_comes_back_within_seconds(void **state)
{
	unsigned in = agents("192.0.2.1:5", true, 3000), seconds = 0;

	(void)state;
	is_known("192.0.2.1:5");
	for (; in < 3000; seconds++) {
		for (unsigned i = 0; i < 100; i++) {
			pass_time(A_SECOND_US / 100);
			in += agents("192.0.2.1:5", true, 5);
		}
	}
	assert_in_range(seconds, 1, 8);
}

static void
ten_thousand_sites_come_back_within_half_a_minute(void **state)
{
	char from[ADDRESS_TEXT];
	unsigned in = 0, seconds = 0;

	(void)state;
	for (; in < 10000; seconds++) {
		for (unsigned i = 0; i < 1000; i++) {
			pass_time(A_SECOND_US / 1000);
			snprintf(from, sizeof from, "10.%u.%u.1:5", in / 250, in % 250);
			in += agents(from, true, 1);
		}
	}
	assert_in_range(seconds, 20, 30);
}

static void
channels_of_a_known_peer_are_hardly_bounded(void **state)
{
	(void)state;
	assert_int_equal(agents("192.0.2.1:5", false, 10000), 200);
	is_known("192.0.2.1:5");
	assert_int_equal(agents("192.0.2.1:5", false, 8000), 8000);
}

static void
the_heaviest_clients_are_refused_first(void **state)
{
	struct address heavy = address_of("192.0.2.1:5"), light = address_of("198.51.100.1:5");
	const char *trouble = NULL;

	(void)state;
	for (unsigned i = 0; i < 1000 && !trouble; i++)
		trouble = arrival_of_flow(shared.rates, &heavy);
	assert_string_equal(
	    trouble, "limits.flows_per_second is reached, and most of them come from here");
	for (unsigned i = 0; i < 10; i++)
		assert_null(arrival_of_flow(shared.rates, &light));
}

static void
a_cap_for_each_client_names_itself(void **state)
{
	const struct settings_limits limits = { .flows_per_client_per_second = 2 };
	struct address client = address_of("192.0.2.1:5");

	(void)state;
	arrival_set_bounds(shared.rates, &limits);
	assert_null(arrival_of_flow(shared.rates, &client));
	assert_null(arrival_of_flow(shared.rates, &client));
	assert_string_equal(arrival_of_flow(shared.rates, &client),
	    "limits.flows_per_client_per_second is reached");
}

static void
a_name_has_its_rate(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 5; i++)
		assert_null(arrival_of_name(shared.rates, "a.example"));
	assert_string_equal(arrival_of_name(shared.rates, "a.example"),
	    "limits.flows_per_name_per_second is reached");
	assert_null(arrival_of_name(shared.rates, "b.example"));
}

static void
a_name_has_so_many_flows_and_no_more(void **state)
{
	struct name_flows *names = shared.name_flows;
	const char *trouble;
	struct name_flows_place *first = name_flows_enter(names, "*.example", 2, &trouble);
	struct name_flows_place *second = name_flows_enter(names, "*.example", 2, &trouble), *other;

	(void)state;
	assert_non_null(first);
	assert_non_null(second);
	assert_null(name_flows_enter(names, "*.example", 2, &trouble));
	assert_string_equal(trouble, "limits.flows_per_name is reached");
	other = name_flows_enter(names, "a.example", 2, &trouble);
	assert_non_null(other);
	name_flows_leave(names, first);
	first = name_flows_enter(names, "*.example", 2, &trouble);
	assert_non_null(first);
	name_flows_leave(names, name_flows_enter(names, "*.example", 0, &trouble));
	name_flows_leave(names, NULL);
	name_flows_leave(names, other);
	name_flows_leave(names, second);
	name_flows_leave(names, first);
}

#define ARRIVAL_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ARRIVAL_TEST(a_flood_of_session_hellos_is_let_in_at_twenty_a_second),
		ARRIVAL_TEST(a_flood_from_everywhere_leaves_known_peers_alone),
		ARRIVAL_TEST(a_site_comes_back_within_seconds),
		ARRIVAL_TEST(ten_thousand_sites_come_back_within_half_a_minute),
		ARRIVAL_TEST(channels_of_a_known_peer_are_hardly_bounded),
		ARRIVAL_TEST(the_heaviest_clients_are_refused_first),
		ARRIVAL_TEST(a_cap_for_each_client_names_itself),
		ARRIVAL_TEST(a_name_has_its_rate),
		ARRIVAL_TEST(a_name_has_so_many_flows_and_no_more),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("relay/arrival", tests, NULL, NULL);
}
