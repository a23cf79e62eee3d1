/* Tests of relay/session_lines: how many sessions of a tenant have lines in a minute. */
#include "relay/session_lines.h"

#include "base/clock_fake.h"
#include "relay/helpers.h"
#include "relay/people.h"
#include "relay/usage.h"

enum { SECOND = 1000000 };

static const struct test_ca acme = { .name = "CN=acme", .has_grant = true };
static struct usage_table *usages;
static struct session_lines *lines;

static int
set_up(void **state)
{
	(void)state;
	clock_fake(SECOND, 0);
	usages = usage_table_new();
	lines = session_lines_new();
	return !usages || !lines;
}

static int
tear_down(void **state)
{
	(void)state;
	session_lines_free(lines);
	usage_table_free(usages);
	clock_fake(0, 0);
	return 0;
}

/* How many of this many sessions, one after the other, are told of. */
static unsigned
told_of(struct identity *identity, unsigned count)
{
	struct usage *usage = usage_of(usages, identity);
	unsigned told = 0;

	assert_non_null(usage);
	while (count-- > 0)
		told += session_lines_take(lines, identity, usage);
	usage_release(usage);
	return told;
}

static void
a_loop_is_told_of_sixty_times_a_minute(void **state)
{
	struct identity alice = person("alice", "a.example", false), bob = person("bob", "b.example", false);

	(void)state;
	assert_int_equal(told_of(&alice, 1000), SESSION_LINES_FREE);
	assert_int_equal(told_of(&bob, 1), 1);
	clock_fake(SECOND + UINT64_C(59) * SECOND, 0);
	session_lines_tick(lines);
	assert_int_equal(told_of(&alice, 10), 0);
	clock_fake(SECOND + UINT64_C(60) * SECOND, 0);
	session_lines_tick(lines);
	assert_int_equal(told_of(&alice, 1000), SESSION_LINES_FREE);
}

static void
names_that_a_tenant_mints_count_together(void **state)
{
	struct identity one = person("one", "a.example", false), two = person("two", "b.example", false);

	(void)state;
	one.above[0] = two.above[0] = &acme;
	assert_int_equal(told_of(&one, 50) + told_of(&two, 50), SESSION_LINES_FREE);
}

static void
a_fleet_that_comes_back_at_once_is_told_of_completely(void **state)
{
	struct identity alice = person("alice", "a.example", false);
	struct usage *usage = usage_of(usages, &alice);
	char why[USAGE_WHY];
	unsigned told = 0;

	(void)state;
	for (int i = 0; i < 500; i++) {
		told += session_lines_take(lines, &alice, usage);
		assert_true(usage_enter(usage, USAGE_SESSIONS, why));
	}
	assert_int_equal(told, 500);
	usage_release(usage);
}

static void
when_it_is_full_other_tenants_count_together(void **state)
{
	static struct identity many[SESSION_LINES_MOST];
	static char names[SESSION_LINES_MOST][8];
	struct identity late = person("late", "a.example", false), later = person("later", "b.example", false);

	(void)state;
	for (int i = 0; i < SESSION_LINES_MOST; i++) {
		snprintf(names[i], sizeof names[i], "n%d", i);
		many[i] = person(names[i], "a.example", false);
		assert_int_equal(told_of(&many[i], 1), 1);
	}
	assert_int_equal(told_of(&late, 40) + told_of(&later, 1000), SESSION_LINES_FREE);
	clock_fake(SECOND + UINT64_C(59) * SECOND, 0);
	session_lines_tick(lines);
	assert_int_equal(told_of(&late, 10), 0);
	clock_fake(SECOND + UINT64_C(60) * SECOND, 0);
	session_lines_tick(lines);
	assert_int_equal(told_of(&late, 1000), SESSION_LINES_FREE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_loop_is_told_of_sixty_times_a_minute),
		TEST(names_that_a_tenant_mints_count_together),
		TEST(a_fleet_that_comes_back_at_once_is_told_of_completely),
		TEST(when_it_is_full_other_tenants_count_together),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("relay/session_lines", tests, NULL, NULL);
}
