/* Tests of agent/reconnect: when the link to a relay dials again. */
#include "agent/reconnect.h"

#include "agent/backoff.h"
#include "helpers.h"

enum { BEGIN_MS = 1000000, SECOND_MS = 1000 };

/* One that has had a session for so long. */
static void
be_up(struct reconnect *reconnect, uint64_t since_ms)
{
	reconnect_init(reconnect, since_ms);
	reconnect_up(reconnect, since_ms);
}

/* The longest of many waits, for each failure in a row: close to its bound. */
static void
a_link_that_was_never_up_waits_below_a_bound_that_doubles(void **state)
{
	static const struct {
		uint64_t after_ms, bound;
	} rows[] = { { 0, 500 }, { 600, 1000 }, { 1500, 2000 }, { 4000, 4000 }, { 8000, 5000 },
		{ 29999, 5000 }, { 30000, 10000 }, { 40000, 20000 }, { 60000, 30000 },
		{ 90000, 30000 } };
	uint64_t most[COUNT(rows)] = { 0 }, least[COUNT(rows)];

	(void)state;
	memset(least, 0xff, sizeof least);
	for (int round = 0; round < 500; round++) {
		struct reconnect reconnect;

		reconnect_init(&reconnect, BEGIN_MS);
		for (size_t i = 0; i < COUNT(rows); i++) {
			uint64_t wait = reconnect_failed(&reconnect, BEGIN_MS + rows[i].after_ms);

			most[i] = wait > most[i] ? wait : most[i];
			least[i] = wait < least[i] ? wait : least[i];
		}
	}
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_in_range(most[i], rows[i].bound * 9 / 10, rows[i].bound);
		assert_in_range(least[i], 0, rows[i].bound / 10);
	}
}

/* When it dials first after it was lost at BEGIN_MS and the relay is back at `back_ms`. */
static uint64_t
returns_at(struct reconnect *reconnect, uint64_t back_ms)
{
	uint64_t now = BEGIN_MS + reconnect_lost(reconnect, BEGIN_MS);

	while (now < BEGIN_MS + back_ms)
		now += reconnect_failed(reconnect, now);
	return now - BEGIN_MS;
}

/* Whenever the relay comes back in the first half minute, early in a second or late. */
static void
those_who_lose_their_relay_return_a_quarter_each_second(void **state)
{
	enum { AGENTS = 256, TURNS = RECONNECT_TURN_MS / SECOND_MS };

	(void)state;
	for (uint64_t back_ms = 0; back_ms < 25000; back_ms += 333) {
		unsigned came[TURNS + 1] = { 0 };

		for (unsigned i = 0; i < AGENTS; i++) {
			struct reconnect reconnect;
			uint64_t at_ms;

			be_up(&reconnect, BEGIN_MS - 100000);
			reconnect_set_place(&reconnect, (uint16_t)(i * 65536 / AGENTS));
			at_ms = returns_at(&reconnect, back_ms);
			assert_in_range(at_ms - back_ms, 0, RECONNECT_TURN_MS - 1);
			came[(at_ms - back_ms) / SECOND_MS]++;
		}
		for (unsigned i = 0; i < TURNS; i++)
			assert_in_range(came[i], AGENTS / TURNS - 1, AGENTS / TURNS + 1);
	}
}

/* Where no relay has said anything. */
static void
a_place_is_drawn_from_the_whole_turn(void **state)
{
	enum { AGENTS = 2000, PARTS = 8 };
	unsigned part[PARTS] = { 0 };

	(void)state;
	for (int i = 0; i < AGENTS; i++) {
		struct reconnect reconnect;

		be_up(&reconnect, BEGIN_MS - 100000);
		part[reconnect_lost(&reconnect, BEGIN_MS) * PARTS / RECONNECT_TURN_MS]++;
	}
	for (int i = 0; i < PARTS; i++)
		assert_in_range(part[i], AGENTS / PARTS / 2, AGENTS / PARTS * 3 / 2);
}

static void
an_attempt_that_took_its_time_waits_for_the_next_turn(void **state)
{
	struct reconnect reconnect;

	(void)state;
	be_up(&reconnect, BEGIN_MS - 100000);
	reconnect_set_place(&reconnect, 65536 / 4);
	assert_int_equal(reconnect_lost(&reconnect, BEGIN_MS), 1000);
	assert_int_equal(reconnect_failed(&reconnect, BEGIN_MS + 1001), 3999);
	assert_int_equal(reconnect_failed(&reconnect, BEGIN_MS + 5000 + 3900), 100);
	assert_int_equal(reconnect_failed(&reconnect, BEGIN_MS + 9000), 4000);
}

static void
after_half_a_minute_the_bound_grows(void **state)
{
	static const uint64_t bounds[] = { 8000, 16000, 30000, 30000 };
	struct reconnect reconnect;

	(void)state;
	be_up(&reconnect, BEGIN_MS - 100000);
	reconnect_lost(&reconnect, BEGIN_MS);
	for (size_t i = 0; i < COUNT(bounds); i++) {
		reconnect_failed(&reconnect, BEGIN_MS + RECONNECT_EARLY_MS);
		assert_int_equal(reconnect.bound_ms, bounds[i]);
	}
}

/* Else a second death of the relay would find all of its agents far apart. */
static void
a_welcome_forgets_all_failures(void **state)
{
	struct reconnect reconnect;

	(void)state;
	reconnect_init(&reconnect, BEGIN_MS);
	for (unsigned i = 0; i < 20; i++)
		reconnect_failed(&reconnect, BEGIN_MS + 60000 + i);
	assert_int_equal(reconnect.bound_ms, RECONNECT_MOST_MS);
	reconnect_up(&reconnect, BEGIN_MS + 90000);
	reconnect_set_place(&reconnect, 65536 / 2);
	assert_int_equal(reconnect_lost(&reconnect, BEGIN_MS + 95000), RECONNECT_TURN_MS / 2);
}

static void
a_link_that_comes_and_goes_keeps_waiting(void **state)
{
	static const uint64_t bounds[] = { 4000, 4000, 4000, 8000, 16000, 30000, 30000 };
	struct reconnect reconnect;
	uint64_t now = BEGIN_MS;

	(void)state;
	reconnect_init(&reconnect, now);
	for (size_t i = 0; i < COUNT(bounds); i++) {
		reconnect_up(&reconnect, now);
		now += RECONNECT_STABLE_MS - 1;
		assert_in_range(reconnect_lost(&reconnect, now), 0, bounds[i]);
		assert_int_equal(reconnect.bound_ms, bounds[i]);
	}
	/* Nor does it make up for that by dials that fail. */
	assert_false(reconnect.has_turns);
	reconnect_failed(&reconnect, now);
	assert_int_equal(reconnect.bound_ms, RECONNECT_MOST_MS);
	reconnect_up(&reconnect, now);
	reconnect_lost(&reconnect, now + RECONNECT_STABLE_MS);
	assert_int_equal(reconnect.bound_ms, RECONNECT_TURN_MS);
}

/* Half a minute at most: who is not served does not care how long others may finish. */
static void
a_drain_spreads_agents_over_its_time(void **state)
{
	static const struct {
		uint64_t drain_ms, half;
	} rows[] = { { 0, 0 }, { 1, 0 }, { 3000, 1500 }, { 30000, 15000 }, { 3600000, 15000 },
		{ UINT64_MAX, 15000 } };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct reconnect reconnect;

		be_up(&reconnect, BEGIN_MS - 100000);
		reconnect_set_place(&reconnect, 65536 / 2);
		assert_int_equal(
		    reconnect_drained(&reconnect, BEGIN_MS, rows[i].drain_ms), rows[i].half);
		/* It ended sooner. */
		assert_int_equal(reconnect_gone(&reconnect, BEGIN_MS + 10), 2000);
		assert_int_equal(reconnect_failed(&reconnect, BEGIN_MS + 2010), 4000);
	}
}

static void
a_session_beside_a_silent_one_is_made_at_once(void **state)
{
	struct reconnect reconnect;

	(void)state;
	be_up(&reconnect, BEGIN_MS - 100000);
	reconnect_set_place(&reconnect, 65536 / 2);
	assert_int_equal(reconnect_doubted(&reconnect, BEGIN_MS), 0);
	assert_int_equal(reconnect_failed(&reconnect, BEGIN_MS), 2000);
	for (int i = 0; i < RECONNECT_YOUNG_MOST; i++) {
		reconnect_up(&reconnect, BEGIN_MS);
		assert_int_equal(reconnect_doubted(&reconnect, BEGIN_MS + 5000), 0);
	}
	reconnect_up(&reconnect, BEGIN_MS);
	reconnect_doubted(&reconnect, BEGIN_MS + 5000);
	assert_int_equal(reconnect.bound_ms, 2 * RECONNECT_TURN_MS);
}

static void
a_relay_that_drains_again_and_again_is_one_that_comes_and_goes(void **state)
{
	struct reconnect reconnect;
	uint64_t longest = 0;

	(void)state;
	for (int round = 0; round < 200; round++) {
		uint64_t wait = 0;

		reconnect_init(&reconnect, BEGIN_MS);
		for (int i = 0; i < 6; i++) {
			reconnect_up(&reconnect, BEGIN_MS);
			wait = reconnect_drained(&reconnect, BEGIN_MS, 1);
		}
		longest = wait > longest ? wait : longest;
		assert_int_equal(reconnect_gone(&reconnect, BEGIN_MS), UINT64_MAX);
	}
	assert_in_range(longest, 25000, RECONNECT_MOST_MS);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_link_that_was_never_up_waits_below_a_bound_that_doubles),
	cmocka_unit_test(those_who_lose_their_relay_return_a_quarter_each_second),
	cmocka_unit_test(a_place_is_drawn_from_the_whole_turn),
	cmocka_unit_test(an_attempt_that_took_its_time_waits_for_the_next_turn),
	cmocka_unit_test(after_half_a_minute_the_bound_grows),
	cmocka_unit_test(a_welcome_forgets_all_failures),
	cmocka_unit_test(a_link_that_comes_and_goes_keeps_waiting),
	cmocka_unit_test(a_drain_spreads_agents_over_its_time),
	cmocka_unit_test(a_session_beside_a_silent_one_is_made_at_once),
	cmocka_unit_test(a_relay_that_drains_again_and_again_is_one_that_comes_and_goes),
};
RUN_TESTS("agent/reconnect", tests)
