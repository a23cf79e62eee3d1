/* The heap against a plain list that is searched from end to end. */
#include "base/heap.h"

#include <stdlib.h>
#include "base/hash.h"
#include "helpers.h"

enum { THINGS = 300, STEPS = 200000 };

struct heap_thing {
	struct heap_node node;
	int key, number;
	bool is_in;
};

static struct heap_thing things[THINGS];
static struct heap heap;
static int added;

static bool
is_before(const struct heap_node *a, const struct heap_node *b)
{
	const struct heap_thing *one = container_of(a, struct heap_thing, node);
	const struct heap_thing *other = container_of(b, struct heap_thing, node);

	return one->key != other->key ? one->key < other->key : one->number < other->number;
}

static struct heap_thing *
first_by_search(void)
{
	struct heap_thing *first = NULL;

	for (int i = 0; i < THINGS; i++) {
		if (things[i].is_in && (!first || is_before(&things[i].node, &first->node)))
			first = &things[i];
	}
	return first;
}

static void
expect_the_same_first(void)
{
	struct heap_thing *first = first_by_search();

	assert_ptr_equal(heap.first, first ? &first->node : NULL);
}

static void
add(struct heap_thing *thing, int key)
{
	thing->key = key;
	thing->number = added++;
	thing->is_in = true;
	heap_add(&heap, &thing->node);
}

static void
take_out(struct heap_thing *thing)
{
	thing->is_in = false;
	heap_remove(&heap, &thing->node);
}

/* `range` decides how often keys are equal, `adds` in sixteen how full the heap becomes. */
static void
live(unsigned seed, int range, int adds)
{
	srandom(seed);
	for (int step = 0; step < STEPS / 16; step++) {
		struct heap_thing *thing = &things[random() % THINGS];

		if (!thing->is_in && random() % 16 < adds)
			add(thing, (int)(random() % range));
		else if (thing->is_in && random() % 3 == 0)
			take_out(thing);
		else if (heap.first && random() % 3 == 0)
			take_out(first_by_search());
		expect_the_same_first();
	}
	while (heap.first) {
		take_out(first_by_search());
		expect_the_same_first();
	}
}

static void
it_agrees_with_a_list_in_every_step(void **state)
{
	static const int ranges[] = { 1, 3, 50, 1000000 };

	(void)state;
	heap_init(&heap, is_before);
	for (unsigned seed = 0; seed < 4; seed++) {
		for (size_t i = 0; i < COUNT(ranges); i++)
			live(seed, ranges[i], 4 + 4 * (int)(seed % 4));
	}
}

/* Rising, falling and equal keys are the shapes in which a tree could grow into a long list. */
static void
a_hundred_thousand_leave_in_order_whatever_order_they_came_in(void **state)
{
	enum { MANY = 100000 };
	struct heap_thing *many = calloc(MANY, sizeof *many);

	(void)state;
	assert_non_null(many);
	for (int shape = 0; shape < 3; shape++) {
		int last_key = -1, last_number = -1;

		for (int i = 0; i < MANY; i++) {
			many[i] = (struct heap_thing){ .key = shape == 0 ? i : shape == 1 ? MANY - i : 7, .number = i };
			heap_add(&heap, &many[i].node);
		}
		for (int i = 0; i < MANY; i++) {
			struct heap_thing *first = container_of(heap.first, struct heap_thing, node);

			assert_true(first->key > last_key || (first->key == last_key && first->number > last_number));
			last_key = first->key;
			last_number = first->number;
			heap_remove(&heap, &first->node);
		}
		assert_null(heap.first);
	}
	free(many);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(it_agrees_with_a_list_in_every_step),
	cmocka_unit_test(a_hundred_thousand_leave_in_order_whatever_order_they_came_in),
};

RUN_TESTS("heap", tests)
