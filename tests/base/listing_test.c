/* Long lists, step by step, while their members come and go. */
#include "base/listing.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock_fake.h"
#include "base/loop_advance.h"
#include "helpers.h"

struct member {
	LIST_ENTRY(member) link;
	int number;
};

static LIST_HEAD(, member) members;
static struct list_walks walks;
static struct loop *loop;
static struct listings all;
static struct listing *listing;
static unsigned rows_seen, steps, ends;
static bool is_reader_slow, was_given_up;
static int seen[4096];

static void
enter(int number)
{
	struct member *member = calloc(1, sizeof *member);

	assert_non_null(member);
	member->number = number;
	LIST_INSERT_HEAD(&members, member, link);
}

static void
leave(struct member *member)
{
	list_walks_step_over(&walks, member, LIST_NEXT(member, link));
	LIST_REMOVE(member, link);
	free(member);
}

static int
set_up(void **state)
{
	(void)state;
	clock_fake(1000000000, 1767225600000000);
	loop = loop_new();
	for (int i = 0; i < 1000; i++)
		enter(i);
	rows_seen = steps = ends = 0;
	is_reader_slow = was_given_up = false;
	memset(seen, 0, sizeof seen);
	return !loop;
}

static int
tear_down(void **state)
{
	(void)state;
	while (!LIST_EMPTY(&members))
		leave(LIST_FIRST(&members));
	loop_free(loop);
	clock_fake(0, 0);
	assert_true(LIST_EMPTY(&walks));
	assert_true(LIST_EMPTY(&all));
	return 0;
}

static void *
next_member(void *member)
{
	return LIST_NEXT((struct member *)member, link);
}

static bool
step_members(void *arg, struct listing_step *step)
{
	struct member *member;

	(void)arg;
	steps++;
	if (!listing_enter(step, &walks, LIST_FIRST(&members)))
		return true;
	while ((member = listing_next(step, next_member)))
		json_array_append_new(step->rows, json_integer(member->number));
	return listing_leave(step);
}

static bool
on_rows(void *arg, const json_t *rows)
{
	const json_t *row;
	size_t i;

	(void)arg;
	assert_in_range(json_array_size(rows), 1, LISTING_ROWS);
	json_array_foreach(rows, i, row)
		seen[json_integer_value(row)]++;
	rows_seen += (unsigned)json_array_size(rows);
	return !is_reader_slow;
}

static void
on_over(void *arg, const struct listing_step *step)
{
	(void)arg;
	ends++;
	was_given_up = step->is_given_up;
	listing = NULL;
}

static void
begin(unsigned sources)
{
	const struct listing_source source = { loop, step_members, NULL };
	const struct listing_source list[] = { source, source };
	unsigned before = steps;

	listing = listing_begin(&(struct listing_options){ .all = &all, .loop = loop, .sources = list,
	    .source_count = sources, .on_rows = on_rows, .on_over = on_over });
	assert_non_null(listing);
	assert_int_equal(steps, before);
}

static void
turn(unsigned times)
{
	while (times-- > 0)
		assert_true(loop_advance(loop, 0));
}

static void
each_source_is_listed_some_rows_at_a_time(void **state)
{
	(void)state;
	begin(2);
	turn(100);
	assert_int_equal(ends, 1);
	assert_false(was_given_up);
	assert_int_equal(rows_seen, 2000);
	assert_in_range(steps, 2000 / LISTING_ROWS, 2000 / LISTING_ROWS + 3);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(seen[i], 2);
}

/* Whoever stays is seen once, whoever leaves is never touched again, and who comes is not waited for. */
static void
members_may_come_and_go_meanwhile(void **state)
{
	(void)state;
	srandom(3);
	begin(1);
	for (int round = 0, newcomer = 1000; ends == 0; round++) {
		struct member *member = LIST_FIRST(&members), *next;

		assert_true(round < 1000);
		assert_true(loop_advance(loop, 0));
		for (; member; member = next) {
			next = LIST_NEXT(member, link);
			if (random() % 20 == 0)
				leave(member);
		}
		enter(newcomer++);
	}
	for (int i = 0; i < 1000; i++)
		assert_in_range(seen[i], 0, 1);
	for (struct member *member = LIST_FIRST(&members); member; member = LIST_NEXT(member, link))
		assert_int_equal(seen[member->number], member->number < 1000);
}

static void
a_slow_reader_is_waited_for(void **state)
{
	unsigned before;

	(void)state;
	is_reader_slow = true;
	begin(1);
	turn(50);
	before = rows_seen;
	assert_int_equal(before, LISTING_ROWS);
	listing_go_on(listing);
	turn(50);
	assert_int_equal(rows_seen, 2 * LISTING_ROWS);
	is_reader_slow = false;
	listing_go_on(listing);
	turn(50);
	assert_int_equal(rows_seen, 1000);
	assert_int_equal(ends, 1);
}

static void
what_is_given_up_walks_no_further(void **state)
{
	(void)state;
	is_reader_slow = true;
	begin(2);
	turn(50);
	listing_give_up(listing);
	turn(50);
	assert_int_equal(ends, 1);
	assert_true(was_given_up);
	assert_int_equal(rows_seen, LISTING_ROWS);
	assert_true(LIST_EMPTY(&walks));
	rows_seen = steps = 0;
	begin(2); /* and at once */
	listing_give_up(listing);
	turn(50);
	assert_int_equal(ends, 2);
	assert_int_equal(rows_seen, 0);
}

static void
abandoned_ones_end_with_their_sources(void **state)
{
	(void)state;
	is_reader_slow = true;
	begin(1);
	turn(50);
	begin(1); /* its step is under way */
	while (!LIST_EMPTY(&members))
		leave(LIST_FIRST(&members));
	LIST_INIT(&walks); /* the source is gone */
	listing_abandon_all(&all);
	assert_int_equal(ends, 1);
	assert_true(was_given_up);
	turn(50);
	assert_int_equal(ends, 2);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(each_source_is_listed_some_rows_at_a_time, set_up, tear_down),
	cmocka_unit_test_setup_teardown(members_may_come_and_go_meanwhile, set_up, tear_down),
	cmocka_unit_test_setup_teardown(a_slow_reader_is_waited_for, set_up, tear_down),
	cmocka_unit_test_setup_teardown(what_is_given_up_walks_no_further, set_up, tear_down),
	cmocka_unit_test_setup_teardown(abandoned_ones_end_with_their_sources, set_up, tear_down),
};

RUN_TESTS("base/listing", tests)
