/* Tests of base/upstream_group: who gets the next flow. */
#include "base/upstream_group.h"

#include <string.h>
#include "base/upstream_group_private.h"
#include "helpers.h"

static const struct health_settings unchecked;
static char a[] = "a:1", b[] = "b:1", c[] = "c:1", *targets[] = { a, b, c };
static struct upstream_group *group;

static int
set_up(void **state)
{
	(void)state;
	group = upstream_group_new("app.test", targets, 3, &unchecked);
	return !group;
}

static int
tear_down(void **state)
{
	(void)state;
	upstream_group_release(group);
	return 0;
}

static unsigned
enter(uint32_t tried)
{
	return upstream_group_enter(group, tried, 1000);
}

static void
the_one_with_the_fewest_flows_gets_the_next(void **state)
{
	unsigned had[3] = { 0 };

	(void)state;
	for (int i = 0; i < 30; i++)
		had[enter(0)]++;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(had[i], 10);
	upstream_group_leave(group, 1);
	upstream_group_leave(group, 1);
	assert_int_equal(enter(0), 1);
	assert_int_equal(enter(0), 1);
	assert_int_equal(upstream_group_flows(group, 1), 10);
}

/* Flows that are over at once shall not all go to the first. */
static void
those_with_as_few_take_turns(void **state)
{
	unsigned had[3] = { 0 };

	(void)state;
	for (int i = 0; i < 30; i++) {
		unsigned at = enter(0);

		had[at]++;
		upstream_group_leave(group, at);
	}
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(had[i], 10);
}

static void
what_was_tried_or_is_down_gets_none(void **state)
{
	(void)state;
	upstream_group_move(group, 2, UPSTREAM_DOWN, "refused");
	for (int i = 0; i < 10; i++)
		assert_int_not_equal(enter(0), 2);
	assert_int_equal(enter(1), 1);
	assert_int_equal(enter(3), UPSTREAM_NONE);
	assert_int_equal(enter(7), UPSTREAM_NONE);
	upstream_group_move(group, 2, UPSTREAM_UP, NULL);
	assert_int_equal(enter(3), 2);
}

static void
what_failed_a_moment_ago_comes_last(void **state)
{
	(void)state;
	upstream_group_note_dial(group, 0, "refused", 1000);
	for (int i = 0; i < 10; i++)
		assert_int_not_equal(enter(0), 0);
	assert_int_equal(enter(6), 0); /* the others were tried */
	assert_int_equal(upstream_group_enter(group, 0, 1000 + UPSTREAM_AVOID_MS), 0);
	upstream_group_note_dial(group, 0, "refused", 1000);
	upstream_group_note_dial(group, 0, NULL, 1001);
	assert_int_equal(enter(0), 0);
}

static void
says_when_no_dial_would_be_worth_it(void **state)
{
	char error[UPSTREAM_ERROR_TEXT], why[UPSTREAM_DOWN_TEXT];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		assert_false(upstream_group_is_refusing(group, 1000));
		assert_false(upstream_group_is_down(group));
		if (i == 1)
			upstream_group_note_dial(group, i, "refused", 1000);
		else
			upstream_group_move(group, i, UPSTREAM_DOWN, "it refuses");
	}
	assert_true(upstream_group_is_refusing(group, 1000 + UPSTREAM_AVOID_MS - 1));
	assert_false(upstream_group_is_refusing(group, 1000 + UPSTREAM_AVOID_MS));
	upstream_group_move(group, 1, UPSTREAM_DOWN, "it too");
	assert_true(upstream_group_is_down(group));
	assert_string_equal(upstream_group_error(group, 1, error), "it too");
	assert_string_equal(upstream_group_why_down(group, why),
	    "all upstreams are down, by their checks; a:1: it refuses");
	upstream_group_move(group, 0, UPSTREAM_UP, NULL);
	assert_string_equal(upstream_group_error(group, 0, error), "");
}

static void
those_that_are_left_share_the_time(void **state)
{
	(void)state;
	assert_int_equal(upstream_group_share(group, 0, 3000, 4000), 1000);
	assert_int_equal(upstream_group_share(group, 1, 3000, 4000), 1500);
	assert_int_equal(upstream_group_share(group, 3, 3000, 4000), 3000);
	assert_int_equal(upstream_group_share(group, 3, 3000, 500), 500);
	assert_int_equal(upstream_group_share(group, 0, 1, 500), 1);
	upstream_group_move(group, 0, UPSTREAM_DOWN, "gone");
	assert_int_equal(upstream_group_share(group, 0, 3000, 4000), 1500);
}

static void
is_equal_to_what_is_made_of_the_same(void **state)
{
	const struct health_settings checked = { .check = HEALTH_TCP, .interval_ms = 1000 };
	char *others[] = { a, c, b };
	struct upstream_group *made[] = {
		upstream_group_new("app.test", targets, 3, &unchecked),
		upstream_group_new("www.test", targets, 3, &unchecked),
		upstream_group_new("app.test", targets, 2, &unchecked),
		upstream_group_new("app.test", others, 3, &unchecked),
		upstream_group_new("app.test", targets, 3, &checked),
	};

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(upstream_group_equals(group, made[i]), i == 0);
		upstream_group_release(made[i]);
	}
}

static void
a_fresh_group_inherits_what_is_known_of_its_targets(void **state)
{
	const struct health_settings checked = { .check = HEALTH_TCP, .interval_ms = 1000 },
				     seldom = { .check = HEALTH_TCP, .interval_ms = 5000 },
				     by_tls = { .check = HEALTH_TLS, .interval_ms = 1000 };
	char d[] = "d:1", *others[] = { d, c, b };
	char error[UPSTREAM_ERROR_TEXT];
	struct upstream_group *old = upstream_group_new("app.test", targets, 3, &checked),
			      *fresh = upstream_group_new("app.test", others, 3, &seldom),
			      *unlike = upstream_group_new("app.test", targets, 3, &by_tls);

	(void)state;
	upstream_group_move(old, 0, UPSTREAM_UP, NULL);
	upstream_group_move(old, 2, UPSTREAM_DOWN, "it refuses");
	upstream_group_inherit(fresh, old);
	assert_int_equal(upstream_group_state(fresh, 0), UPSTREAM_UNCHECKED);
	assert_int_equal(upstream_group_state(fresh, 1), UPSTREAM_DOWN);
	assert_string_equal(upstream_group_error(fresh, 1, error), "it refuses");
	assert_int_equal(upstream_group_state(fresh, 2), UPSTREAM_UNCHECKED);
	upstream_group_inherit(unlike, old);
	assert_int_equal(upstream_group_state(unlike, 2), UPSTREAM_UNCHECKED);
	upstream_group_inherit(group, old);
	assert_int_equal(upstream_group_state(group, 0), UPSTREAM_UNCHECKED);
	upstream_group_release(old);
	upstream_group_release(fresh);
	upstream_group_release(unlike);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ONE(the_one_with_the_fewest_flows_gets_the_next),
		ONE(those_with_as_few_take_turns),
		ONE(what_was_tried_or_is_down_gets_none),
		ONE(what_failed_a_moment_ago_comes_last),
		ONE(says_when_no_dial_would_be_worth_it),
		ONE(those_that_are_left_share_the_time),
		ONE(is_equal_to_what_is_made_of_the_same),
		ONE(a_fresh_group_inherits_what_is_known_of_its_targets),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("base/upstream_group", tests, NULL, NULL);
}
