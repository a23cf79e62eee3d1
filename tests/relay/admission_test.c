/* Tests of relay/admission: who leaves the queue when it is too full. */
#include "relay/admission.h"

#include "relay/helpers.h"

struct guest {
	struct admission_place *place;
	int evicted;
};

static void
on_evict(void *arg)
{
	struct guest *guest = arg;

	guest->evicted++;
	admission_leave(guest->place);
	guest->place = NULL;
}

static void
enter(struct admission *queue, struct loop *loop, struct guest *guest, const char *from)
{
	struct prefix block = block_of(from);

	*guest = (struct guest){ 0 };
	guest->place = admission_enter(queue, loop, &block, on_evict, guest);
	assert_non_null(guest->place);
}

static void
leave_all(struct guest *guests, size_t count)
{
	for (size_t i = 0; i < count; i++)
		admission_leave(guests[i].place);
}

static void
lets_everybody_in_below_its_bounds(void **state)
{
	struct admission *queue = admission_new(&(struct admission_bounds){ 4, 2, 0 });
	struct loop *loop = loop_new();
	struct guest guests[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		enter(queue, loop, &guests[i], i < 2 ? "192.0.2.1" : "192.0.2.2");
	turn(loop);
	for (int i = 0; i < 4; i++)
		assert_int_equal(guests[i].evicted, 0);
	assert_int_equal(admission_count(queue), 4);
	leave_all(guests, 4);
	assert_int_equal(admission_count(queue), 0);
	loop_free(loop);
	admission_free(queue);
}

static void
a_block_above_its_own_bound_loses_its_oldest(void **state)
{
	struct admission *queue = admission_new(&(struct admission_bounds){ 100, 2, 0 });
	struct loop *loop = loop_new();
	struct guest guests[4];

	(void)state;
	enter(queue, loop, &guests[0], "192.0.2.9");
	for (int i = 1; i < 4; i++)
		enter(queue, loop, &guests[i], "192.0.2.1");
	assert_int_equal(guests[1].evicted, 0);	/* never from inside */
	assert_int_equal(admission_count(queue), 3);
	turn(loop);
	assert_int_equal(guests[0].evicted + guests[2].evicted + guests[3].evicted, 0);
	assert_int_equal(guests[1].evicted, 1);
	leave_all(guests, 4);
	loop_free(loop);
	admission_free(queue);
}

static void
a_full_queue_loses_the_oldest_of_the_heaviest_block(void **state)
{
	struct admission *queue = admission_new(&(struct admission_bounds){ 40, 40, 0 });
	struct loop *loop = loop_new();
	struct guest guests[41];

	(void)state;
	enter(queue, loop, &guests[0], "192.0.2.1");
	for (int i = 1; i <= 35; i++)
		enter(queue, loop, &guests[i], "2001:db8::1");
	for (int i = 36; i < 40; i++)
		enter(queue, loop, &guests[i], "192.0.2.2");
	enter(queue, loop, &guests[40], "192.0.2.3");
	turn(loop);
	for (int i = 0; i < 41; i++)
		assert_int_equal(guests[i].evicted, i == 1);
	leave_all(guests, 41);
	loop_free(loop);
	admission_free(queue);
}

static void
memory_counts_as_places_do(void **state)
{
	struct admission *queue = admission_new(&(struct admission_bounds){ 100, 100, 1000 });
	struct loop *loop = loop_new();
	struct guest guests[3];

	(void)state;
	enter(queue, loop, &guests[0], "192.0.2.1");
	enter(queue, loop, &guests[1], "192.0.2.2");
	enter(queue, loop, &guests[2], "192.0.2.2");
	admission_grow(guests[0].place, 500);
	admission_grow(guests[1].place, 400);
	turn(loop);
	assert_int_equal(guests[1].evicted, 0);
	admission_grow(guests[2].place, 200);
	turn(loop);
	assert_int_equal(guests[1].evicted, 1);
	assert_int_equal(guests[0].evicted + guests[2].evicted, 0);
	leave_all(guests, 3);
	loop_free(loop);
	admission_free(queue);
}

static void
who_leaves_before_the_message_comes_is_not_called(void **state)
{
	struct admission *queue = admission_new(&(struct admission_bounds){ 1, 1, 0 });
	struct loop *loop = loop_new();
	struct guest guests[2];

	(void)state;
	enter(queue, loop, &guests[0], "192.0.2.1");
	enter(queue, loop, &guests[1], "192.0.2.2");
	admission_leave(guests[0].place);
	turn(loop);
	assert_int_equal(guests[0].evicted, 0);
	admission_leave(guests[1].place);
	loop_free(loop);
	admission_free(queue);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lets_everybody_in_below_its_bounds),
		cmocka_unit_test(a_block_above_its_own_bound_loses_its_oldest),
		cmocka_unit_test(a_full_queue_loses_the_oldest_of_the_heaviest_block),
		cmocka_unit_test(memory_counts_as_places_do),
		cmocka_unit_test(who_leaves_before_the_message_comes_is_not_called),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("relay/queue", tests, NULL, NULL);
}
