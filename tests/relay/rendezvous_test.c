/* Tests of relay/rendezvous: who is led where, and who moves when an agent comes or goes. */
#include "relay/rendezvous.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { AGENTS = 5, CLIENTS = 20000 };

/* Hashes that have nothing in common with what rendezvous.c does. */
static uint64_t
hash_of(uint64_t number)
{
	return (number + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

/* The agent that wins among those that are there. */
static int
winner(uint64_t client, const uint16_t weights[AGENTS], unsigned there)
{
	struct rendezvous best = { 0, 1 };
	int found = -1;

	for (int i = 0; i < AGENTS; i++) {
		struct rendezvous now = rendezvous_draw(hash_of(1000 + (uint64_t)i), hash_of(client), weights[i]);

		if (!(there & 1u << i) || (found >= 0 && !rendezvous_beats(&now, &best)))
			continue;
		best = now;
		found = i;
	}
	return found;
}

static void
each_agent_has_the_share_of_its_weight(void **state)
{
	static const uint16_t weights[][AGENTS] = {
		{ 100, 100, 100, 100, 100 },
		{ 1, 2, 3, 4, 10 },
		{ 1000, 1, 100, 100, 500 },
		{ 0, 1, 1, 1, 1 },
	};

	(void)state;
	for (size_t row = 0; row < sizeof weights / sizeof weights[0]; row++) {
		int counts[AGENTS] = { 0 }, sum = 0;

		for (int i = 0; i < AGENTS; i++)
			sum += weights[row][i] ? weights[row][i] : 1;
		for (uint64_t client = 0; client < CLIENTS; client++)
			counts[winner(client, weights[row], ~0u)]++;
		for (int i = 0; i < AGENTS; i++) {
			int due = CLIENTS * (weights[row][i] ? weights[row][i] : 1) / sum;

			assert_in_range(counts[i] + 300, due, due + 600); /* five sigma at most */
		}
	}
}

static void
only_clients_of_who_leaves_move_and_they_move_to_all_others(void **state)
{
	static const uint16_t weights[AGENTS] = { 10, 20, 30, 20, 10 };
	int moved[AGENTS] = { 0 };

	(void)state;
	for (uint64_t client = 0; client < CLIENTS; client++) {
		int before = winner(client, weights, ~0u), after = winner(client, weights, ~0u & ~(1u << 2));

		if (before != 2)
			assert_int_equal(after, before);
		else
			moved[after]++;
	}
	assert_int_equal(moved[2], 0);
	for (int i = 0; i < AGENTS; i++) {
		int due = CLIENTS / 3 * weights[i] / 60;

		if (i != 2)
			assert_in_range(moved[i] + 200, due, due + 400);
	}
}

/* Who changes one weight moves no client between the others. */
static void
a_heavier_agent_takes_from_the_others_and_gives_nobody(void **state)
{
	static const uint16_t before[AGENTS] = { 10, 10, 10, 10, 10 }, after[AGENTS] = { 10, 25, 10, 10, 10 };

	(void)state;
	for (uint64_t client = 0; client < CLIENTS; client++) {
		int then = winner(client, before, ~0u), now = winner(client, after, ~0u);

		assert_true(now == then || now == 1);
	}
}

static void
copies_of_one_agent_beat_nobody(void **state)
{
	(void)state;
	for (uint64_t client = 0; client < 100; client++) {
		struct rendezvous a = rendezvous_draw(7, hash_of(client), 100), b = rendezvous_draw(7, hash_of(client), 100);

		assert_false(rendezvous_beats(&a, &b) || rendezvous_beats(&b, &a));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_agent_has_the_share_of_its_weight),
		cmocka_unit_test(only_clients_of_who_leaves_move_and_they_move_to_all_others),
		cmocka_unit_test(a_heavier_agent_takes_from_the_others_and_gives_nobody),
		cmocka_unit_test(copies_of_one_agent_beat_nobody),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("relay/rendezvous", tests, NULL, NULL);
}
