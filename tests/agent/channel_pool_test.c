/* Tests of agent/channel_pool: how many channels are dialled, and when. */
#include "agent/channel_pool.h"

#include "helpers.h"

/* How many are dialled at once when the relay needs so many. */
static unsigned
needs(struct channel_pool *pool, unsigned wanted, uint64_t now)
{
	channel_pool_need(pool, wanted);
	return channel_pool_refill(pool, now);
}

static void
fills_up_to_the_least_and_refills_what_is_used(void **state)
{
	struct channel_pool pool;

	(void)state;
	channel_pool_init(&pool, 4, 16, 0, 256);
	assert_int_equal(channel_pool_refill(&pool, 1000), 4);
	assert_int_equal(channel_pool_refill(&pool, 1000), 0);
	for (int i = 0; i < 4; i++)
		channel_pool_parked(&pool, 1000);
	assert_int_equal(channel_pool_refill(&pool, 1000), 0);
	assert_false(channel_pool_left(&pool));
	/* Whoever had the channel replaces it. */
	assert_int_equal(channel_pool_refill(&pool, 1000), 0);
	assert_int_equal(channel_pool_replace(&pool, 1000), REPLACE_NOW);
	assert_int_equal(channel_pool_refill(&pool, 1000), 0);
	assert_int_equal(pool.parked, 3);
	assert_int_equal(pool.dialling, 1);
}

static void
asks_for_the_rest_of_more_than_may_be_dialled_at_once(void **state)
{
	struct channel_pool pool;

	(void)state;
	channel_pool_init(&pool, 34, 64, 0, 256);
	assert_int_equal(channel_pool_refill(&pool, 1000), 32);
	assert_true(channel_pool_parked(&pool, 1000));
	assert_int_equal(channel_pool_refill(&pool, 1000), 1);
	assert_true(channel_pool_parked(&pool, 1000));
	assert_int_equal(channel_pool_refill(&pool, 1000), 1);
	assert_false(channel_pool_parked(&pool, 1000));
	assert_false(channel_pool_left(&pool));
	assert_false(channel_pool_parked(&pool, 1000)); /* what was used is replaced anyhow */
}

static void
replaces_one_for_one(void **state)
{
	struct channel_pool pool;

	(void)state;
	channel_pool_init(&pool, 2, 16, 0, 256);
	assert_int_equal(channel_pool_refill(&pool, 1000), 2);
	assert_int_equal(needs(&pool, 1, 1000), 1);
	for (int i = 0; i < 3; i++)
		assert_false(channel_pool_parked(&pool, 1000));
	assert_false(channel_pool_left(&pool));
	assert_int_equal(channel_pool_replace(&pool, 1000), REPLACE_NOT); /* it was needed once */
	assert_false(channel_pool_left(&pool));
	assert_true(channel_pool_left(&pool));
	assert_int_equal(channel_pool_replace(&pool, 1000), REPLACE_NOW);
	assert_int_equal(channel_pool_replace(&pool, 1000), REPLACE_NOW);
	assert_int_equal(pool.dialling, 2);
	assert_int_equal(channel_pool_refill(&pool, 1000), 0);
}

static void
replaces_none_in_a_pause_and_says_that_one_is_missing(void **state)
{
	struct channel_pool pool;
	uint64_t now = 1000, pause;

	(void)state;
	channel_pool_init(&pool, 2, 16, 0, 256);
	assert_int_equal(channel_pool_refill(&pool, now), 2);
	channel_pool_parked(&pool, now);
	do
		channel_pool_failed(&pool, now);
	while ((pause = channel_pool_pause_ms(&pool, now)) == 0 &&
	    channel_pool_refill(&pool, now) == 1);
	channel_pool_left(&pool);
	assert_int_equal(channel_pool_replace(&pool, now), REPLACE_LATER);
	assert_int_equal(channel_pool_pause_ms(&pool, now), pause);
	assert_int_equal(channel_pool_refill(&pool, now + pause), 2);
	channel_pool_parked(&pool, now + pause);
	channel_pool_left(&pool);
	channel_pool_stop(&pool);
	assert_int_equal(channel_pool_replace(&pool, now + pause), REPLACE_NOT);
	assert_int_equal(channel_pool_refill(&pool, now + pause), 0);
	assert_int_equal(channel_pool_pause_ms(&pool, now), 0);
}

static void
says_when_there_is_room_for_what_is_needed(void **state)
{
	struct channel_pool pool;

	(void)state;
	channel_pool_init(&pool, 0, 256, 0, 256);
	assert_int_equal(needs(&pool, 33, 1000), 32);
	assert_true(channel_pool_parked(&pool, 1000));
	assert_int_equal(channel_pool_refill(&pool, 1000), 1);
	assert_false(channel_pool_parked(&pool, 1000));
}

static void
answers_a_need_within_the_most(void **state)
{
	struct channel_pool pool;

	(void)state;
	channel_pool_init(&pool, 4, 10, 0, 256);
	assert_int_equal(channel_pool_refill(&pool, 1000), 4);
	assert_int_equal(needs(&pool, 3, 1000), 3);
	assert_int_equal(needs(&pool, 100, 1000), 3);
	assert_int_equal(needs(&pool, 100, 1000), 0);
	for (int i = 0; i < 10; i++)
		channel_pool_parked(&pool, 1000);
	channel_pool_left(&pool);
	/* There are more than `least`, and what was needed once is not replaced. */
	assert_int_equal(channel_pool_refill(&pool, 1000), 0);
}

static void
takes_the_narrower_of_both_bounds(void **state)
{
	static const struct {
		unsigned relay_least, relay_most, own_least, own_most, least, most;
	} cases[] = {
		{ 4, 16, 0, 256, 4, 16 },
		{ 4, 16, 8, 256, 8, 16 },
		{ 4, 16, 32, 256, 16, 16 },
		{ 4, 16, 0, 2, 2, 2 },
		{ 0, 0, 8, 8, 0, 0 },
	};
	struct channel_pool pool;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		channel_pool_init(&pool, cases[i].relay_least, cases[i].relay_most,
		    cases[i].own_least, cases[i].own_most);
		assert_int_equal(pool.least, cases[i].least);
		assert_int_equal(pool.most, cases[i].most);
	}
}

static void
sheds_what_exceeds_a_smaller_share(void **state)
{
	struct channel_pool pool;

	(void)state;
	channel_pool_init(&pool, 4, 16, 0, 256);
	assert_int_equal(channel_pool_refill(&pool, 1000), 4);
	for (int i = 0; i < 4; i++)
		channel_pool_parked(&pool, 1000);
	assert_false(channel_pool_sheds(&pool));
	channel_pool_set_share(&pool, 3);
	assert_true(channel_pool_sheds(&pool));
	assert_false(channel_pool_sheds(&pool));
	assert_int_equal(needs(&pool, 100, 1000), 0);
	channel_pool_set_share(&pool, 8);
	assert_int_equal(channel_pool_refill(&pool, 1000), 1);
	assert_int_equal(needs(&pool, 100, 1000), 4);
	channel_pool_wipe(&pool);
}

static void
pauses_after_failures_and_goes_on_after_the_pause(void **state)
{
	struct channel_pool pool;
	uint64_t now = 1000, pause;

	(void)state;
	channel_pool_init(&pool, 1, 4, 0, 256);
	assert_int_equal(channel_pool_refill(&pool, now), 1);
	channel_pool_failed(&pool, now); /* the first time: at once */
	assert_int_equal(channel_pool_refill(&pool, now), 1);
	for (int i = 0; i < 20; i++) {
		channel_pool_failed(&pool, now);
		pause = channel_pool_pause_ms(&pool, now);
		assert_true(pause <= BACKOFF_MOST_MS);
		if (pause > 0) {
			assert_int_equal(channel_pool_refill(&pool, now), 0);
			assert_int_equal(needs(&pool, 1, now + pause - 1), 0);
		}
		now += pause;
		assert_int_equal(channel_pool_refill(&pool, now), 1);
	}
	channel_pool_parked(&pool, now);
	assert_int_equal(channel_pool_pause_ms(&pool, now), 0);
	assert_int_equal(needs(&pool, 1, now), 1);
}

/* A relay that asks lives, and somebody waits there. */
static void
a_need_cuts_a_long_pause_short(void **state)
{
	struct channel_pool pool;
	uint64_t now = 1000;

	(void)state;
	channel_pool_init(&pool, 1, 4, 0, 256);
	do {
		now += channel_pool_pause_ms(&pool, now);
		assert_int_equal(channel_pool_refill(&pool, now), 1);
		channel_pool_failed(&pool, now);
	} while (channel_pool_pause_ms(&pool, now) < 5000);
	assert_int_equal(needs(&pool, 1, now), 0);
	assert_int_equal(channel_pool_pause_ms(&pool, now), 500);
	assert_int_equal(needs(&pool, 1, now + 100), 0); /* the first one counts */
	assert_int_equal(channel_pool_refill(&pool, now + 499), 0);
	assert_int_equal(channel_pool_refill(&pool, now + 500), 2);
	channel_pool_wipe(&pool);
}

static void
counts_a_burst_of_failures_during_a_pause_once(void **state)
{
	struct channel_pool pool;
	uint64_t pause;

	(void)state;
	channel_pool_init(&pool, 8, 8, 0, 256);
	assert_int_equal(channel_pool_refill(&pool, 1000), 8);
	do
		channel_pool_failed(&pool, 1000);
	while (channel_pool_pause_ms(&pool, 1000) == 0 && pool.dialling > 0);
	pause = channel_pool_pause_ms(&pool, 1000);
	while (pool.dialling > 0)
		channel_pool_failed(&pool, 1000);
	assert_int_equal(channel_pool_pause_ms(&pool, 1000), pause);
}

static void
who_is_sent_away_after_parking_waits_longer_each_time(void **state)
{
	struct channel_pool pool;
	uint64_t now = 1000, waited = 0;
	unsigned dials = 0;

	(void)state;
	channel_pool_init(&pool, 4, 8, 0, 256);
	while (now < 600 * 1000) {
		unsigned count = channel_pool_refill(&pool, now);

		dials += count;
		while (count-- > 0) {
			channel_pool_parked(&pool, now);
			channel_pool_lost(&pool, now + 5);
		}
		now += 5;
	}
	assert_in_range(dials, 20, 4 * 120); /* in ten minutes; every 5 ms without the pauses */
	for (waited = now; channel_pool_refill(&pool, now) == 0; now += 100)
		assert_true(now - waited <= BACKOFF_MOST_MS);
	channel_pool_parked(&pool, now);
	channel_pool_lost(&pool, now + 60000); /* it stayed */
	assert_int_equal(pool.early_losses, 0);
	assert_in_range(channel_pool_refill(&pool, now + 60000), 1, 4);
	channel_pool_parked(&pool, now + 60000);
	channel_pool_left(&pool);
	assert_int_equal(pool.early_losses, 0);
}

static void
dials_few_at_a_time(void **state)
{
	struct channel_pool pool;

	(void)state;
	channel_pool_init(&pool, 0, 256, 0, 256);
	assert_int_equal(needs(&pool, 100, 1000), 32);
	assert_int_equal(needs(&pool, 50, 1000), 0);
	for (unsigned dialled = 32; dialled < 150; dialled++) {
		channel_pool_parked(&pool, 1000);
		assert_int_equal(channel_pool_refill(&pool, 1000), 1);
	}
	channel_pool_parked(&pool, 1000);
	assert_int_equal(channel_pool_refill(&pool, 1000), 0);
	assert_int_equal(pool.parked + pool.dialling, 150);
}

/* So many a second are opened, evenly, and dialled again at once; a dial takes `dial_ms`. */
static void
open_for(struct channel_pool *pool, unsigned pace, uint64_t dial_ms, uint64_t from, uint64_t to)
{
	for (uint64_t now = from; now < to; now += 1000 / pace) {
		unsigned more;

		channel_pool_left(pool);
		more = channel_pool_replace(pool, now) == REPLACE_NOW;
		if (channel_pool_is_short(pool, now))
			more += channel_pool_refill(pool, now);
		while (more-- > 0) {
			channel_pool_note_dial(pool, dial_ms);
			channel_pool_parked(pool, now);
		}
	}
}

static void
keeps_twice_what_is_opened_while_one_is_dialled(void **state)
{
	static const struct {
		unsigned pace;
		uint64_t dial_ms;
		unsigned parked;
	} cases[] = {
		{ 1, 2000, 4 }, { 8, 250, 4 }, { 10, 250, 5 }, { 50, 500, 50 },
		{ 200, 500, 64 }, /* the most */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct channel_pool pool;
		unsigned count;

		channel_pool_init(&pool, 4, 64, 0, 256);
		count = channel_pool_refill(&pool, 1000);
		for (unsigned j = 0; j < count; j++)
			channel_pool_parked(&pool, 1000);
		open_for(&pool, cases[i].pace, cases[i].dial_ms, 1000, 11000);
		assert_int_equal(pool.parked, cases[i].parked);
		channel_pool_wipe(&pool);
	}
}

/* What is parked stays; who replaces what the relay has closed forgets the pace. */
static void
is_as_small_as_before_a_minute_after_the_rush(void **state)
{
	struct channel_pool pool;
	uint64_t now = 11000;

	(void)state;
	channel_pool_init(&pool, 4, 64, 0, 256);
	for (unsigned count = channel_pool_refill(&pool, 1000); count > 0; count--)
		channel_pool_parked(&pool, 1000);
	open_for(&pool, 20, 250, 1000, now);
	assert_int_equal(pool.parked, 10);
	for (unsigned seconds = 0; seconds < 60; seconds++, now += 1000) {
		if (pool.parked > 0)
			channel_pool_lost(&pool, now + 10000);
		for (unsigned count = channel_pool_refill(&pool, now); count > 0; count--)
			channel_pool_parked(&pool, now - 10000);
	}
	assert_int_equal(pool.parked, 4);
	channel_pool_wipe(&pool);
}

static void
grows_no_more_for_a_minute_after_a_failure(void **state)
{
	struct channel_pool pool;

	(void)state;
	channel_pool_init(&pool, 4, 64, 0, 256);
	for (unsigned count = channel_pool_refill(&pool, 1000); count > 0; count--)
		channel_pool_parked(&pool, 1000);
	open_for(&pool, 20, 250, 1000, 11000);
	assert_int_equal(needs(&pool, 1, 11000), 1);
	channel_pool_failed(&pool, 11000);
	while (pool.parked > 4)
		channel_pool_left(&pool), channel_pool_replace(&pool, 20000);
	assert_int_equal(pool.dialling, 0);
	open_for(&pool, 20, 250, 60000, 70000);
	assert_int_equal(pool.parked, 4);
	open_for(&pool, 20, 250, 71000, 81000);
	assert_int_equal(pool.parked, 10);
	channel_pool_wipe(&pool);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(keeps_twice_what_is_opened_while_one_is_dialled),
	cmocka_unit_test(is_as_small_as_before_a_minute_after_the_rush),
	cmocka_unit_test(grows_no_more_for_a_minute_after_a_failure),
	cmocka_unit_test(fills_up_to_the_least_and_refills_what_is_used),
	cmocka_unit_test(asks_for_the_rest_of_more_than_may_be_dialled_at_once),
	cmocka_unit_test(replaces_one_for_one),
	cmocka_unit_test(replaces_none_in_a_pause_and_says_that_one_is_missing),
	cmocka_unit_test(says_when_there_is_room_for_what_is_needed),
	cmocka_unit_test(answers_a_need_within_the_most),
	cmocka_unit_test(takes_the_narrower_of_both_bounds),
	cmocka_unit_test(sheds_what_exceeds_a_smaller_share),
	cmocka_unit_test(pauses_after_failures_and_goes_on_after_the_pause),
	cmocka_unit_test(who_is_sent_away_after_parking_waits_longer_each_time),
	cmocka_unit_test(dials_few_at_a_time),
	cmocka_unit_test(counts_a_burst_of_failures_during_a_pause_once),
	cmocka_unit_test(a_need_cuts_a_long_pause_short),
};
RUN_TESTS("agent/pool", tests)
