/* Tests of relay/return_places: agents come back evenly. */
#include "relay/return_places.h"

#include "helpers.h"

enum { TURN = 65536, PARTS = 4 };

/* The most and the fewest of `count` places in any stretch of a quarter of the turn. */
static void
check_quarters(const uint16_t *places, unsigned count)
{
	for (uint32_t from = 0; from < TURN; from += TURN / 128) {
		unsigned inside = 0;

		for (unsigned i = 0; i < count; i++)
			inside += (uint16_t)(places[i] - from) < TURN / PARTS;
		assert_in_range(inside, count / PARTS - 3, count / PARTS + 3);
	}
}

static void
whoever_follow_each_other_come_a_quarter_in_each_quarter(void **state)
{
	enum { AGENTS = 200 };
	struct return_places places = { 0 };
	uint16_t row[AGENTS];

	(void)state;
	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < AGENTS; i++)
			row[i] = return_places_next(&places);
		check_quarters(row, AGENTS);
		check_quarters(row + round, AGENTS - (unsigned)round);
	}
}

static void
a_lone_agent_is_neither_at_once_nor_late(void **state)
{
	struct return_places places = { 0 };

	(void)state;
	assert_int_equal(return_places_next(&places), TURN / 8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whoever_follow_each_other_come_a_quarter_in_each_quarter),
		cmocka_unit_test(a_lone_agent_is_neither_at_once_nor_late),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("relay/return_places", tests, NULL, NULL);
}
