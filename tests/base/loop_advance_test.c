/* Time in the test's hand: nothing here waits. */
#include "base/loop_advance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/clock_fake.h"
#include "base/loop.h"
#include "helpers.h"

enum { BEGAN_MS = 1000000, TIMERS = 64, ROUNDS = 400 };

static struct loop *loop;
static char story[256];

static int
set_up(void **state)
{
	(void)state;
	story[0] = '\0';
	clock_fake(BEGAN_MS * UINT64_C(1000), 1767225600000000);
	loop = loop_new();
	return !loop;
}

static int
tear_down(void **state)
{
	(void)state;
	loop_free(loop);
	clock_fake(0, 0);
	return 0;
}

static uint64_t
passed_ms(void)
{
	return clock_ms() - BEGAN_MS;
}

static void
note(void *arg)
{
	size_t used = strlen(story);

	snprintf(story + used, sizeof story - used, "%s@%u ", (const char *)arg, (unsigned)passed_ms());
}

static void
each_fires_at_its_own_time(void **state)
{
	struct timer a, b, c;

	(void)state;
	timer_init(&a, loop, note, "a");
	timer_init(&b, loop, note, "b");
	timer_init(&c, loop, note, "c");
	timer_set(&a, 5000);
	timer_set(&b, 10);
	timer_set(&c, 5001);
	assert_true(loop_advance(loop, 0));
	assert_string_equal(story, "");
	assert_true(loop_advance(loop, 5000));
	assert_string_equal(story, "b@10 a@5000 ");
	assert_int_equal(passed_ms(), 5000);
	assert_int_equal(clock_wall_us(), 1767225605000000);
	assert_true(loop_advance(loop, 86400000));
	assert_string_equal(story, "b@10 a@5000 c@5001 ");
	assert_int_equal(passed_ms(), 86405000);
}

static void
equal_deadlines_fire_in_the_order_in_which_they_were_set(void **state)
{
	struct timer a, b, c, d;

	(void)state;
	timer_init(&a, loop, note, "a");
	timer_init(&b, loop, note, "b");
	timer_init(&c, loop, note, "c");
	timer_init(&d, loop, note, "d");
	timer_set(&a, 7);
	timer_set(&b, 7);
	timer_set(&c, 7);
	timer_set(&d, 0);
	timer_set(&a, 7);	/* anew: behind the others now */
	assert_true(loop_advance(loop, 6));
	timer_set(&d, 1);
	assert_true(loop_advance(loop, 1));
	assert_string_equal(story, "d@0 b@7 c@7 a@7 d@7 ");
}

static struct timer first, second, third;
static struct task task;

static void
meddle(void *arg)
{
	note(arg);
	timer_clear(&second);	/* due in this very pass */
	timer_set(&third, 0);	/* was due in this very pass, too */
	timer_set(&first, 20);
	loop_later(loop, &task);
}

static void
handlers_may_set_and_clear_any_timer(void **state)
{
	(void)state;
	timer_init(&first, loop, meddle, "first");
	timer_init(&second, loop, note, "second");
	timer_init(&third, loop, note, "third");
	task_init(&task, note, "task");
	timer_set(&first, 5);
	timer_set(&second, 5);
	timer_set(&third, 5);
	assert_true(loop_advance(loop, 44));
	assert_string_equal(story, "first@5 task@5 third@5 first@25 task@25 third@25 ");
	timer_clear(&first);
}

static void
again_at_once(void *arg)
{
	static int times;

	note(arg);
	if (++times % 3 != 0)
		timer_set(&first, 0);
}

static void
a_timer_of_0_ms_set_by_its_own_handler_lets_the_others_run_between(void **state)
{
	(void)state;
	timer_init(&first, loop, again_at_once, "first");
	timer_init(&second, loop, note, "second");
	timer_set(&first, 0);
	timer_set(&second, 0);
	assert_true(loop_advance(loop, 0));
	assert_string_equal(story, "first@0 second@0 first@0 first@0 ");
}

static void
free_it(void *arg)
{
	note("freed");
	free(arg);
}

static void
a_handler_may_free_its_timer(void **state)
{
	struct timer *timer = malloc(sizeof *timer);

	(void)state;
	timer_init(timer, loop, free_it, timer);
	timer_set(timer, 3);
	assert_true(loop_advance(loop, 10));
	assert_string_equal(story, "freed@3 ");
}

static void
stop(void *arg)
{
	note(arg);
	loop_stop(loop);
}

static void
a_stop_leaves_the_clock_where_it_came(void **state)
{
	struct timer a, b;

	(void)state;
	timer_init(&a, loop, stop, "stop");
	timer_init(&b, loop, note, "b");
	timer_set(&a, 10);
	timer_set(&b, 20);
	assert_false(loop_advance(loop, 100));
	assert_int_equal(passed_ms(), 10);
	assert_true(loop_advance(loop, 100));
	assert_string_equal(story, "stop@10 b@20 ");
	assert_int_equal(passed_ms(), 110);
}

static struct watch watch;
static struct call call;
static int ends[2];

static void
on_ready(void *arg, unsigned ready)
{
	char byte;

	(void)ready;
	assert_int_equal(read(ends[0], &byte, 1), 1);
	note(arg);
	loop_later(loop, &task);
}

static void
write_a_byte(void *arg)
{
	note(arg);
	assert_int_equal(write(ends[1], "x", 1), 1);
	loop_call(loop, &call, note, "call");
}

static void
what_a_deadline_sets_off_happens_before_time_goes_on(void **state)
{
	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	watch_init(&watch, loop, ends[0], on_ready, "read");
	watch_want(&watch, WATCH_READ);
	task_init(&task, note, "task");
	timer_init(&first, loop, write_a_byte, "write");
	timer_init(&second, loop, note, "second");
	timer_set(&first, 10);
	timer_set(&second, 11);
	assert_true(loop_advance(loop, 11));
	assert_non_null(strstr(story, "write@10 "));
	assert_non_null(strstr(story, "read@10 "));
	assert_non_null(strstr(story, "call@10 "));
	assert_non_null(strstr(story, "task@10 second@11 "));
	watch_wipe(&watch);
	close(ends[0]);
	close(ends[1]);
}

static void
move_the_clock(void *arg)
{
	note(arg);
	clock_fake_move(clock_us() + 3600000000);
}

static void
a_running_loop_follows_the_clock_and_waits_for_descriptors_only(void **state)
{
	clock_t used = clock();
	struct timespec before, after;

	(void)state;
	timer_init(&first, loop, stop, "stop");
	timer_set(&first, 3600000);
	loop_call(loop, &call, move_the_clock, "moved");
	clock_gettime(CLOCK_MONOTONIC, &before);
	loop_run(loop);
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_string_equal(story, "moved@0 stop@3600000 ");
	assert_true(after.tv_sec - before.tv_sec < 60);
	assert_true(clock() - used < CLOCKS_PER_SEC);
}

/* Against a list: each of many random timers fires at its time, in the order of (time, set). */
static struct timer many[TIMERS];
static uint64_t due_ms[TIMERS], set_as[TIMERS], sets, fired;

static void
on_one_of_many(void *arg)
{
	size_t self = (size_t)((struct timer *)arg - many);

	assert_int_equal(passed_ms(), due_ms[self]);
	for (size_t i = 0; i < TIMERS; i++)
		assert_false(many[i].armed && (due_ms[i] < due_ms[self] ||
		    (due_ms[i] == due_ms[self] && set_as[i] < set_as[self])));
	fired++;
}

static void
any_number_of_timers_fires_in_order(void **state)
{
	uint64_t armed = 0;

	(void)state;
	srandom(7);
	for (size_t i = 0; i < TIMERS; i++)
		timer_init(&many[i], loop, on_one_of_many, &many[i]);
	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < TIMERS / 2; i++) {
			size_t which = (size_t)random() % TIMERS;
			uint64_t ms = (uint64_t)random() % 40;

			if (random() % 4 == 0) {
				armed -= many[which].armed;
				timer_clear(&many[which]);
				continue;
			}
			armed += !many[which].armed;
			due_ms[which] = passed_ms() + ms;
			set_as[which] = ++sets;
			timer_set(&many[which], ms);
		}
		assert_true(loop_advance(loop, (uint64_t)random() % 20));
	}
	assert_true(loop_advance(loop, 40));
	assert_int_equal(fired, armed);
	assert_true(fired > 1000);
}

#define ADVANCE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	ADVANCE_TEST(each_fires_at_its_own_time),
	ADVANCE_TEST(equal_deadlines_fire_in_the_order_in_which_they_were_set),
	ADVANCE_TEST(handlers_may_set_and_clear_any_timer),
	ADVANCE_TEST(a_timer_of_0_ms_set_by_its_own_handler_lets_the_others_run_between),
	ADVANCE_TEST(a_handler_may_free_its_timer),
	ADVANCE_TEST(a_stop_leaves_the_clock_where_it_came),
	ADVANCE_TEST(what_a_deadline_sets_off_happens_before_time_goes_on),
	ADVANCE_TEST(a_running_loop_follows_the_clock_and_waits_for_descriptors_only),
	ADVANCE_TEST(any_number_of_timers_fires_in_order),
};

RUN_TESTS("loop_advance", tests)
