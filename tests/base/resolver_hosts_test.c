/* Which look-up begins next and who leaves the queue, without threads; with them: resolver_slow_test.c. */
#include "base/resolver_hosts.h"

#include <stdio.h>
#include "helpers.h"

enum { NOW = 1000000, SLOW_MS = 1000 };

struct resolution {
	LIST_ENTRY(resolution) place;
};

static struct hosts hosts;
static struct resolution askers[HOSTS_LOOKUPS_MOST];
static unsigned asker_count;

static int
set_up(void **state)
{
	(void)state;
	asker_count = 0;
	return !hosts_init(&hosts);
}

static int
tear_down(void **state)
{
	(void)state;
	hosts_wipe(&hosts);
	return 0;
}

/* A name whose last look-up took so long. */
static struct host *
known(const char *name, uint64_t took_ms)
{
	static const struct answer none = { .why = "not found" };
	struct host *host = hosts_ask(&hosts, name, false);

	assert_non_null(host);
	hosts_move(&hosts, host, HOST_QUEUED);
	hosts_begin(&hosts, host, NOW - took_ms);
	host_learn(host, &none, NOW);
	hosts_move(&hosts, host, HOST_KNOWN);
	return host;
}

static void
wait_for(struct host *host)
{
	struct resolution *asker = &askers[asker_count++];

	LIST_INSERT_HEAD(&host->waiting, asker, place);
}

static struct host *
queue(struct host *host)
{
	wait_for(host);
	hosts_move(&hosts, host, HOST_QUEUED);
	return host;
}

static struct host *
queue_refresh(struct host *host)
{
	host->is_refresh = true;
	hosts_move(&hosts, host, HOST_QUEUED);
	return host;
}

static void
quick_names_begin_first_then_unknown_ones_then_refreshes_then_slow_ones(void **state)
{
	struct host *slow = queue(known("slow.example", SLOW_MS));
	struct host *refresh = queue_refresh(known("refresh.example", 1));
	struct host *unknown = queue(hosts_ask(&hosts, "unknown.example", false));
	struct host *quick = queue(known("quick.example", 1));
	struct host *order[] = { quick, unknown, refresh, slow };

	(void)state;
	for (unsigned i = 0; i < COUNT(order); i++) {
		assert_ptr_equal(hosts_next(&hosts, NOW), order[i]);
		hosts_begin(&hosts, order[i], NOW);
	}
	assert_null(hosts_next(&hosts, NOW));
}

static void
a_held_look_up_takes_no_place_after_a_while(void **state)
{
	char name[32];

	(void)state;
	for (int i = 0; i <= HOSTS_THREADS; i++) {
		snprintf(name, sizeof name, "%d.example", i);
		queue(hosts_ask(&hosts, name, false));
	}
	for (int i = 0; i < HOSTS_THREADS; i++)
		hosts_begin(&hosts, hosts_next(&hosts, NOW), NOW);
	assert_null(hosts_next(&hosts, NOW + HOSTS_HELD_MS - 1));
	assert_string_equal(hosts_next(&hosts, NOW + HOSTS_HELD_MS)->name, "4.example");
}

static void
fill_queue(unsigned count)
{
	char name[32];

	for (unsigned i = 0; i < count; i++) {
		snprintf(name, sizeof name, "%u.example", i);
		queue(hosts_ask(&hosts, name, false));
	}
}

static void
a_refresh_leaves_a_full_queue_else_a_slow_name_but_none_for_its_like(void **state)
{
	struct host *leaving, *slow, *refresh, *newcomer = hosts_ask(&hosts, "new.example", false);
	struct host *slow_newcomer = known("slow-new.example", SLOW_MS);

	(void)state;
	fill_queue(HOSTS_LOOKUPS_MOST - 2);
	slow = queue(known("slow.example", SLOW_MS));
	assert_true(hosts_have_room(&hosts, newcomer, NOW, &leaving));
	assert_null(leaving);
	refresh = queue_refresh(known("refresh.example", 1));
	assert_true(hosts_have_room(&hosts, newcomer, NOW, &leaving));
	assert_ptr_equal(leaving, refresh);
	assert_true(hosts_have_room(&hosts, slow_newcomer, NOW, &leaving));
	assert_ptr_equal(leaving, refresh);
	newcomer->is_refresh = true;
	assert_false(hosts_have_room(&hosts, newcomer, NOW, &leaving));
	newcomer->is_refresh = false;
	wait_for(refresh);
	assert_true(hosts_have_room(&hosts, newcomer, NOW, &leaving));
	assert_ptr_equal(leaving, slow);
	assert_false(hosts_have_room(&hosts, slow_newcomer, NOW, &leaving));
	assert_null(leaving);
}

static void
what_we_ask_for_too_counts_no_more_as_a_strangers(void **state)
{
	struct host *host = hosts_ask(&hosts, "a.example", true);

	(void)state;
	assert_true(host->is_strange);
	assert_int_equal(hosts.strange[HOST_KNOWN], 1);
	assert_ptr_equal(hosts_ask(&hosts, "a.example", false), host);
	assert_ptr_equal(hosts_ask(&hosts, "a.example", true), host);
	assert_false(host->is_strange);
	assert_int_equal(hosts.strange[HOST_KNOWN], 0);
	assert_int_equal(hosts.counts[HOST_KNOWN], 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(quick_names_begin_first_then_unknown_ones_then_refreshes_then_slow_ones),
		TEST(a_held_look_up_takes_no_place_after_a_while),
		TEST(a_refresh_leaves_a_full_queue_else_a_slow_name_but_none_for_its_like),
		TEST(what_we_ask_for_too_counts_no_more_as_a_strangers),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("the hosts of a resolver", tests, NULL, NULL);
}
