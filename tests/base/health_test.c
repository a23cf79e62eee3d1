/* Tests of base/health: when upstreams are asked, and what follows from the answers. */
#include "base/health.h"

#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/clock_fake.h"
#include "base/log.h"
#include "base/loop_advance.h"
#include "helpers.h"
#include "log_heard.h"

enum { TARGETS = 3, MANY = 3 * HEALTH_UNDER_WAY, CHECKS_MOST = 1000 };

static const struct health_settings usual = {
	.check = HEALTH_TCP, .interval_ms = 8000, .timeout_ms = 1000, .rise = 2, .fall = 3
};

/* One check; its upstream answers it after `takes_ms`. */
struct test_check {
	struct timer timer;
	struct health_turn *turn;
	const char *error;
};

static struct loop *loop;
static struct health *health;
static struct upstream_group *group;
static bool is_ill[MANY];
static uint64_t takes_ms, began_ms[TARGETS][CHECKS_MOST];
static unsigned began[MANY], under_way, most_under_way, changes, cancelled;
static void *about;
static bool is_memory_short, is_skipped;

static void
on_time(void *arg)
{
	struct test_check *check = arg;

	under_way--;
	if (is_skipped)
		health_skip(check->turn);
	else
		health_answer(check->turn, check->error);
	free(check);
}

static void *
begin(void *arg, struct health_turn *turn, const struct health_subject *subject, unsigned index)
{
	struct test_check *check = is_memory_short ? NULL : calloc(1, sizeof *check);

	(void)arg;
	if (!check)
		return NULL;
	about = subject->about;
	check->turn = turn;
	check->error = is_ill[index] ? "it is ill" : NULL;
	if (index < TARGETS && began[index] < CHECKS_MOST)
		began_ms[index][began[index]] = clock_ms();
	began[index]++;
	under_way++;
	if (under_way > most_under_way)
		most_under_way = under_way;
	timer_init(&check->timer, loop, on_time, check);
	timer_set(&check->timer, takes_ms);
	return check;
}

static void
cancel(void *data)
{
	struct test_check *check = data;

	timer_clear(&check->timer);
	under_way--;
	cancelled++;
	free(check);
}

static void
on_change(void *arg)
{
	(void)arg;
	changes++;
}

static const struct health_ops ops = { begin, cancel, on_change };

static struct upstream_group *
make_group(const char *name, size_t count, const struct health_settings *settings)
{
	char text[] = "up:1", *targets[UPSTREAMS_MOST];

	for (size_t i = 0; i < count; i++)
		targets[i] = text;
	return upstream_group_new(name, targets, count, settings);
}

static int
set_up(void **state)
{
	(void)state;
	clock_fake(1000000000, 1000000000);
	memset(is_ill, 0, sizeof is_ill);
	memset(began, 0, sizeof began);
	under_way = most_under_way = changes = cancelled = 0;
	takes_ms = 1;
	is_memory_short = is_skipped = false;
	loop = loop_new();
	health = health_new(loop, &ops, NULL);
	group = make_group("app.test", TARGETS, &usual);
	return !loop || !health || !group;
}

static int
tear_down(void **state)
{
	(void)state;
	health_free(health);
	assert_int_equal(under_way, 0);
	upstream_group_release(group);
	loop_free(loop);
	clock_fake(0, 0);
	return 0;
}

static void
watch(struct upstream_group *one)
{
	assert_true(health_watch(health, &(struct health_subject){ one, NULL }, 1));
}

/* So many answers of each: the longest interval with its jitter, and what a check takes. */
static void
let_answers_come(unsigned count)
{
	unsigned wanted = began[0] + count;

	while (began[0] < wanted)
		loop_advance(loop, 1);
	loop_advance(loop, takes_ms);
}

static void
the_first_check_comes_at_once_and_decides(void **state)
{
	(void)state;
	is_ill[1] = true;
	assert_int_equal(upstream_group_state(group, 0), UPSTREAM_UNCHECKED);
	watch(group);
	loop_advance(loop, 1);
	assert_int_equal(upstream_group_state(group, 0), UPSTREAM_UP);
	assert_int_equal(upstream_group_state(group, 1), UPSTREAM_DOWN);
	assert_int_equal(upstream_group_state(group, 2), UPSTREAM_UP);
	assert_int_equal(changes, 1);
}

static void
goes_down_after_fall_failures_and_up_after_rise_successes(void **state)
{
	char error[UPSTREAM_ERROR_TEXT];

	(void)state;
	watch(group);
	loop_advance(loop, 1);
	is_ill[0] = true;
	let_answers_come(2);
	assert_int_equal(upstream_group_state(group, 0), UPSTREAM_UP);
	let_answers_come(1);
	assert_int_equal(upstream_group_state(group, 0), UPSTREAM_DOWN);
	assert_string_equal(upstream_group_error(group, 0, error), "it is ill");
	assert_int_equal(changes, 1);
	is_ill[0] = false;
	let_answers_come(1);
	assert_int_equal(upstream_group_state(group, 0), UPSTREAM_DOWN);
	let_answers_come(1);
	assert_int_equal(upstream_group_state(group, 0), UPSTREAM_UP);
	assert_int_equal(changes, 2);
}

/* One bad answer in between begins the count anew, so nothing flaps. */
static void
what_comes_and_goes_changes_nothing(void **state)
{
	(void)state;
	watch(group);
	loop_advance(loop, 1);
	for (int i = 0; i < 30; i++) {
		is_ill[0] = i % 3 != 2;
		let_answers_come(1);
	}
	assert_int_equal(upstream_group_state(group, 0), UPSTREAM_UP);
	assert_int_equal(changes, 0);
}

static void
checks_keep_their_interval_and_do_not_stay_together(void **state)
{
	bool differs = false;

	(void)state;
	takes_ms = 100;
	watch(group);
	loop_advance(loop, 1000000);
	for (unsigned at = 0; at < TARGETS; at++) {
		assert_int_equal(began_ms[at][0], 1000000);
		assert_true(began[at] > 100 && began[at] < 150);
		for (unsigned i = 1; i < began[at]; i++) {
			uint64_t pause = began_ms[at][i] - began_ms[at][i - 1] - takes_ms;

			assert_true(pause >= 7000 && pause <= 9000);
			differs |= began_ms[at][i] != began_ms[0][i];
		}
	}
	assert_true(differs);
}

static void
no_more_are_under_way_than_there_may_be(void **state)
{
	struct health_subject subjects[MANY];

	(void)state;
	takes_ms = 500;
	for (int i = 0; i < MANY; i++)
		subjects[i] = (struct health_subject){ make_group("one", 1, &usual), NULL };
	assert_true(health_watch(health, subjects, MANY));
	loop_advance(loop, 499);
	assert_int_equal(began[0], HEALTH_UNDER_WAY);
	loop_advance(loop, 1001);
	assert_int_equal(began[0], MANY);
	loop_advance(loop, 100000);
	assert_int_equal(most_under_way, HEALTH_UNDER_WAY);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(upstream_group_state(subjects[i].group, 0), UPSTREAM_UP);
		upstream_group_release(subjects[i].group);
	}
}

static void
what_is_watched_on_goes_on_and_what_is_not_stops(void **state)
{
	struct upstream_group *other = make_group("other", 1, &usual);
	int mine = 0;
	const struct health_subject both[] = { { group, NULL }, { other, NULL } };

	(void)state;
	takes_ms = 500;
	assert_true(health_watch(health, both, 2));
	loop_advance(loop, 499);
	assert_true(health_watch(health, &(struct health_subject){ group, &mine }, 1));
	assert_int_equal(cancelled, 1);
	loop_advance(loop, 1);
	assert_int_equal(began[1], 1);
	assert_int_equal(upstream_group_state(group, 1), UPSTREAM_UP);
	assert_int_equal(upstream_group_state(other, 0), UPSTREAM_UNCHECKED);
	loop_advance(loop, 10000);
	assert_int_equal(began[1], 2);
	assert_ptr_equal(about, &mine);
	upstream_group_release(other);
}

static void
who_wants_no_checks_has_none(void **state)
{
	const struct health_settings none = { 0 };
	struct upstream_group *plain = make_group("plain", 1, &none);

	(void)state;
	watch(plain);
	loop_advance(loop, 100000);
	assert_int_equal(began[0], 0);
	upstream_group_release(plain);
}

static void
a_check_that_finds_no_memory_comes_later(void **state)
{
	(void)state;
	is_memory_short = true;
	watch(group);
	loop_advance(loop, 1);
	assert_int_equal(upstream_group_state(group, 0), UPSTREAM_UNCHECKED);
	is_memory_short = false;
	loop_advance(loop, 9001);
	assert_int_equal(upstream_group_state(group, 0), UPSTREAM_UP);
}

/* It counts neither for the upstream nor against it, and the next one comes in its time. */
static void
a_check_that_could_not_be_made_changes_nothing(void **state)
{
	(void)state;
	watch(group);
	loop_advance(loop, 1);
	assert_int_equal(upstream_group_state(group, 0), UPSTREAM_UP);
	is_ill[0] = true;
	loop_advance(loop, 2 * 9001);	/* two failures at least, of the three that it takes */
	is_skipped = true;
	loop_advance(loop, 10 * 9001);
	assert_true(began[0] >= 12);
	assert_int_equal(upstream_group_state(group, 0), UPSTREAM_UP);
	is_skipped = false;
	loop_advance(loop, 9001);
	assert_int_equal(upstream_group_state(group, 0), UPSTREAM_DOWN);
}

static void
one_that_stays_down_is_told_again(void **state)
{
	const char *said;

	(void)state;
	log_init("test", LOG_WARNING, LOG_TEXT);
	is_ill[1] = true;
	log_listen();
	watch(group);
	loop_advance(loop, 20 * 60000);
	is_ill[1] = false;
	loop_advance(loop, 20000);
	said = log_heard();
	assert_int_equal(log_lines_with(said, "warning upstream-unhealthy: "), 4); /* 0, 1, 5, 15 min */
	assert_int_equal(log_lines_with(said, "warning upstream-healthy: "), 1);
	assert_int_equal(log_lines_with(said, "lasted_s=12"), 1);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ONE(the_first_check_comes_at_once_and_decides),
		ONE(goes_down_after_fall_failures_and_up_after_rise_successes),
		ONE(what_comes_and_goes_changes_nothing),
		ONE(checks_keep_their_interval_and_do_not_stay_together),
		ONE(no_more_are_under_way_than_there_may_be),
		ONE(what_is_watched_on_goes_on_and_what_is_not_stops),
		ONE(who_wants_no_checks_has_none),
		ONE(a_check_that_finds_no_memory_comes_later),
		ONE(a_check_that_could_not_be_made_changes_nothing),
		ONE(one_that_stays_down_is_told_again),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("base/health", tests, NULL, NULL);
}
