/* The ranking against counts that are searched from end to end. */
#include "base/ranking.h"

#include <stdlib.h>
#include <string.h>
#include "helpers.h"

struct ranked_item {
	int other;
	struct rank rank;
};

enum { ITEMS = 200, STEPS = 100000 };

static struct array items;
static struct ranking ranking;
static unsigned counts[ITEMS + 1];
static unsigned long since[ITEMS + 1]; /* when each came to its count */

/* Of those with most, who has had it longest; 0 when all are 0. */
static uint32_t
top_by_search(void)
{
	uint32_t top = 0;

	for (uint32_t i = 1; i <= ITEMS; i++) {
		if (counts[i] == 0)
			continue;
		if (top == 0 || counts[i] > counts[top] || (counts[i] == counts[top] && since[i] < since[top]))
			top = i;
	}
	return top;
}

static void
change(uint32_t index, unsigned long step)
{
	unsigned by = rand() % 3 ? 1 : 1 + (unsigned)rand() % 20;

	if (counts[index] == 0 || rand() % 100 < (step % 30000 < 15000 ? 55 : 40)) {
		counts[index] += by;
		assert_true(ranking_reserve(&ranking, counts[index]));
		ranking_raise(&ranking, index, by);
	} else {
		by = by < counts[index] ? by : counts[index];
		counts[index] -= by;
		ranking_lower(&ranking, index, by);
	}
	since[index] = step;
}

/* As a dense table moves its last item into a gap. */
static void
move_into_gap(uint32_t from, uint32_t to)
{
	if (counts[from] == 0 || counts[to] > 0)
		return;
	memcpy(array_at(&items, to), array_at(&items, from), sizeof(struct ranked_item));
	memset(array_at(&items, from), 0, sizeof(struct ranked_item));
	ranking_moved(&ranking, from, to);
	counts[to] = counts[from];
	since[to] = since[from];
	counts[from] = 0;
}

static void
tells_the_top_as_a_search_does(void **state)
{
	(void)state;
	srand(4);
	array_init(&items, sizeof(struct ranked_item));
	assert_true(array_reserve(&items, ITEMS + 1));
	ranking_init(&ranking, &items, offsetof(struct ranked_item, rank));
	assert_int_equal(ranking_top(&ranking), 0);
	for (unsigned long step = 1; step <= STEPS; step++) {
		change(1 + (uint32_t)rand() % (step % 20000 < 2000 ? 4 : ITEMS), step);
		if (step % 7 == 0)
			move_into_gap(1 + (uint32_t)rand() % ITEMS, 1 + (uint32_t)rand() % ITEMS);
		assert_int_equal(ranking_top(&ranking), top_by_search());
	}
	for (uint32_t i = 1; i <= ITEMS; i++) {
		if (counts[i] > 0)
			ranking_lower(&ranking, i, counts[i]);
		counts[i] = 0;
		assert_int_equal(ranking_top(&ranking), top_by_search());
	}
	assert_int_equal(ranking_top(&ranking), 0);
	ranking_wipe(&ranking);
	array_wipe(&items);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(tells_the_top_as_a_search_does),
};

RUN_TESTS("base/ranking", tests)
