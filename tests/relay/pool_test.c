/* Channels are mere pointers here: the pool never looks into one. */
#include "relay/pool.h"

#include <stdio.h>
#include "base/clock_fake.h"
#include "base/hash.h"
#include "relay/helpers.h"
#include "relay/people.h"

struct owner {
	struct pool_entry entry;
	struct channel *channel;
	int dropped, asked;
};

struct asker {
	struct pool_request *request;
	struct channel *got;
	int answers;
};

static struct loop *here, *there;
static unsigned needed;
static char why[USAGE_WHY];
static struct channel *discarded;

static struct channel *
fake(int number)
{
	static char channels[8];

	return (struct channel *)(void *)&channels[number];
}

static struct channel *
give(struct pool_entry *entry)
{
	struct owner *owner = container_of(entry, struct owner, entry);
	struct channel *channel = owner->channel;

	owner->channel = NULL;
	return channel;
}

static void
drop(struct pool_entry *entry)
{
	container_of(entry, struct owner, entry)->dropped++;
}

static void
be_asked(struct pool_entry *entry)
{
	container_of(entry, struct owner, entry)->asked++;
}

static const struct pool_entry_kind kind = { give, drop, be_asked };

static void
on_need(void *arg, unsigned channels)
{
	(void)arg;
	needed += channels;
}

static void
on_answer(void *arg, struct channel *channel)
{
	struct asker *asker = arg;

	asker->request = NULL;
	asker->got = channel;
	asker->answers++;
}

static void
discard(struct channel *channel)
{
	discarded = channel;
}

static struct pool *
new_pool(uint64_t most, struct usage *usage)
{
	struct pool_settings settings = { .most = most, .usage = usage, .on_need = on_need };

	return pool_new(&settings);
}

static enum pool_verdict
park(struct pool *pool, struct owner *owner, struct loop *loop, int number)
{
	*owner = (struct owner){ .entry = { .kind = &kind, .loop = loop }, .channel = fake(number) };
	return pool_park(pool, &owner->entry, why);
}

static bool
ask_from(struct pool *pool, struct asker *asker, const char *from)
{
	struct address client = address_of(from);
	struct pool_asker how = { .loop = here, .client = &client, .on_answer = on_answer, .discard = discard,
	    .arg = asker };
	enum pool_refusal refusal;

	*asker = (struct asker){ 0 };
	asker->request = pool_take(pool, &how, &refusal);
	if (!asker->request)
		assert_int_equal(refusal, POOL_REFUSED_WAITING);
	return asker->request;
}

static void
ask(struct pool *pool, struct asker *asker)
{
	assert_true(ask_from(pool, asker, "192.0.2.1:1"));
	assert_int_equal(asker->answers, 0);	/* never from inside */
}

static void
settle(void)
{
	for (int i = 0; i < 4; i++) {
		turn(there);
		turn(here);
	}
}

static int
set_up(void **state)
{
	(void)state;
	here = loop_new();
	there = loop_new();
	needed = 0;
	discarded = NULL;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	loop_free(here);
	loop_free(there);
	return 0;
}

static void
gives_the_most_recently_verified_from_any_worker(void **state)
{
	struct pool *pool = new_pool(8, NULL);
	struct owner a, b, c;
	struct asker first, second;

	(void)state;
	park(pool, &a, here, 1);
	park(pool, &b, there, 2);
	park(pool, &c, there, 3);
	pool_verified(&a.entry);
	ask(pool, &first);
	ask(pool, &second);
	assert_int_equal(pool_parked(pool), 1);
	settle();
	assert_ptr_equal(first.got, fake(1));
	assert_ptr_equal(second.got, fake(3));
	assert_int_equal(needed, 0);
	assert_true(pool_lost(&b.entry));
	assert_int_equal(pool_parked(pool), 0);
	pool_release(pool);
}

static void
gives_a_worker_its_own_before_others_that_are_as_good(void **state)
{
	struct pool *pool = new_pool(8, NULL);
	struct owner own, others, much_later;
	struct asker first, second, third;

	(void)state;
	clock_fake(1000000, 1767225600000000);
	park(pool, &own, here, 1);
	clock_fake(3000000, 1767225602000000);
	park(pool, &others, there, 2);
	ask(pool, &first);
	settle();
	assert_ptr_equal(first.got, fake(1));
	park(pool, &own, here, 1);
	clock_fake(5001000, 1767225604001000);
	park(pool, &much_later, there, 3);
	ask(pool, &second);
	ask(pool, &third);
	settle();
	assert_ptr_equal(second.got, fake(3));
	assert_ptr_equal(third.got, fake(1));
	assert_true(pool_lost(&others.entry));
	pool_release(pool);
	clock_fake(0, 0);
}

static void
who_finds_none_waits_and_the_agent_is_told(void **state)
{
	struct pool *pool = new_pool(8, NULL);
	struct asker first, second;
	struct owner a, b;

	(void)state;
	ask(pool, &first);
	ask(pool, &second);
	assert_int_equal(needed, 2);
	assert_int_equal(pool_waiting(pool), 2);
	settle();
	assert_int_equal(first.answers, 0);
	assert_int_equal(park(pool, &a, there, 1), POOL_PARKED);
	settle();
	assert_ptr_equal(first.got, fake(1));
	assert_int_equal(second.answers, 0);
	park(pool, &b, here, 2);
	settle();
	assert_ptr_equal(second.got, fake(2));
	pool_release(pool);
}

static void
a_channel_lost_on_its_way_is_replaced(void **state)
{
	struct pool *pool = new_pool(8, NULL);
	struct owner a, b;
	struct asker asker;

	(void)state;
	park(pool, &a, there, 1);
	park(pool, &b, there, 2);
	ask(pool, &asker);
	assert_false(pool_lost(&b.entry));	/* taken already: the owner will be asked */
	b.channel = NULL;
	settle();
	assert_ptr_equal(asker.got, fake(1));
	pool_release(pool);
}

static void
who_gives_up_is_not_answered(void **state)
{
	struct pool *pool = new_pool(8, NULL);
	struct asker waiting, coming;
	struct owner a, b;

	(void)state;
	ask(pool, &waiting);
	pool_cancel(waiting.request);
	assert_int_equal(pool_waiting(pool), 0);
	park(pool, &a, there, 1);
	ask(pool, &coming);
	pool_cancel(coming.request);
	settle();
	assert_int_equal(a.dropped, 1);
	park(pool, &b, there, 2);
	ask(pool, &coming);
	turn(there);				/* the channel has left its owner */
	pool_cancel(coming.request);
	settle();
	assert_int_equal(waiting.answers + coming.answers, 0);
	assert_ptr_equal(discarded, fake(2));
	pool_release(pool);
}

static void
is_too_big_when_more_than_the_least_is_in_the_way(void **state)
{
	struct identity alice = person("alice", "a.example", false);
	struct usage_table *all = usage_table_new();
	struct usage *usage = usage_of(all, &alice);
	struct pool *one = new_pool(4, usage), *two = new_pool(4, usage);
	struct owner owners[4];

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(park(i < 2 ? one : two, &owners[i], here, i), POOL_PARKED);
	assert_false(pool_is_too_big(one, 1));	/* there is no bound */
	usage_set_bounds(all, &(struct usage_bounds){ .per_identity = { [USAGE_PARKED] = 4 } });
	assert_false(pool_is_too_big(one, 1));
	usage_set_bounds(all, &(struct usage_bounds){ .per_identity = { [USAGE_PARKED] = 3 } });
	assert_true(pool_is_too_big(one, 1));
	assert_false(pool_is_too_big(one, 2));
	assert_false(pool_is_too_big(two, 1));
	usage_set_bounds(all, &(struct usage_bounds){ .in_all = { [USAGE_PARKED] = 4 } });
	assert_false(pool_is_too_big(one, 1));
	usage_set_bounds(all, &(struct usage_bounds){ .in_all = { [USAGE_PARKED] = 3 } });
	assert_true(pool_is_too_big(one, 1));
	pool_close(one);
	pool_close(two);
	settle();
	pool_release(one);
	pool_release(two);
	usage_release(usage);
	usage_table_free(all);
}

static void
has_bounds_for_itself_and_for_the_identity(void **state)
{
	struct identity alice = person("alice", "a.example", false);
	struct usage_table *all = usage_table_new();
	struct usage *usage = usage_of(all, &alice);
	struct pool *one = new_pool(2, usage), *two = new_pool(2, usage);
	struct owner owners[5];

	(void)state;
	usage_set_bounds(all, &(struct usage_bounds){ .per_identity = { [USAGE_PARKED] = 3 } });
	assert_int_equal(park(one, &owners[0], here, 0), POOL_PARKED);
	assert_int_equal(park(one, &owners[1], here, 1), POOL_PARKED);
	assert_int_equal(park(one, &owners[2], here, 2), POOL_FULL);
	assert_int_equal(park(two, &owners[3], here, 3), POOL_PARKED);
	assert_int_equal(park(two, &owners[4], here, 4), POOL_REFUSED);
	assert_string_equal(why, "limits.channels_per_identity of the relay is 3, and 'alice' of 'CN=nobody' has so many parked channels");
	assert_true(pool_lost(&owners[2].entry));
	assert_true(pool_lost(&owners[0].entry));
	assert_int_equal(park(two, &owners[4], here, 4), POOL_PARKED);
	pool_close(one);
	pool_close(two);
	settle();
	assert_int_equal(owners[1].dropped + owners[3].dropped + owners[4].dropped, 3);
	assert_int_equal(usage_count(usage, USAGE_PARKED), 0);
	pool_release(one);
	pool_release(two);
	usage_release(usage);
	usage_table_free(all);
}

static void
what_its_usage_owes_is_dropped_the_longest_unverified_first(void **state)
{
	struct identity alice = person("alice", "a.example", false), bob = person("bob", "b.example", false);
	struct usage_table *all = usage_table_new();
	struct usage *many = usage_of(all, &alice), *few = usage_of(all, &bob);
	struct pool *one = new_pool(4, many), *two = new_pool(4, few);
	struct owner owners[3], other;

	(void)state;
	usage_set_bounds(all, &(struct usage_bounds){ .in_all = { [USAGE_PARKED] = 3 } });
	for (int i = 0; i < 3; i++)
		assert_int_equal(park(one, &owners[i], here, i), POOL_PARKED);
	pool_verified(&owners[0].entry);
	pool_yield(one);	/* it owes nothing yet */
	assert_int_equal(pool_parked(one), 3);
	assert_int_equal(park(two, &other, here, 3), POOL_PARKED);
	pool_yield(two);
	pool_yield(one);
	settle();
	assert_int_equal(owners[1].dropped, 1);
	assert_int_equal(owners[0].dropped + owners[2].dropped + other.dropped, 0);
	assert_int_equal(pool_parked(one), 2);
	assert_int_equal(usage_count(many, USAGE_PARKED), 2);
	assert_int_equal(park(one, &owners[1], here, 1), POOL_REFUSED);
	pool_close(one);
	pool_close(two);
	settle();
	pool_release(one);
	pool_release(two);
	usage_release(many);
	usage_release(few);
	usage_table_free(all);
}

static void
when_the_session_goes_all_hear_of_it(void **state)
{
	struct pool *pool = new_pool(8, NULL);
	struct asker waiting, late;
	struct owner a, b;

	(void)state;
	ask(pool, &waiting);
	pool_close(pool);
	assert_int_equal(park(pool, &a, there, 1), POOL_CLOSED);
	ask(pool, &late);
	settle();
	assert_int_equal(waiting.answers, 1);
	assert_null(waiting.got);
	assert_int_equal(late.answers, 1);
	assert_null(late.got);
	pool_release(pool);

	pool = new_pool(8, NULL);
	park(pool, &b, there, 2);
	pool_close(pool);
	assert_false(pool_lost(&b.entry));
	settle();
	assert_int_equal(b.dropped, 1);
	pool_release(pool);
}

/* The clocks stand at `ms` from now on. */
static void
hold_clocks_at(uint64_t ms)
{
	clock_fake(ms * 1000, 1767225600000000);
}

static void
of_a_distrusted_pool_only_what_is_verified_since_is_given_away(void **state)
{
	struct pool *pool = new_pool(8, NULL);
	struct owner a, b, c;
	struct asker early, first, second, third;

	(void)state;
	hold_clocks_at(1000);
	park(pool, &a, here, 1);
	park(pool, &b, there, 2);
	park(pool, &c, there, 3);
	ask(pool, &early);
	hold_clocks_at(2000);
	pool_distrust(pool);
	ask(pool, &first);
	ask(pool, &second);
	ask(pool, &third);
	settle();
	assert_ptr_equal(early.got, fake(1)); /* it was on its way */
	assert_int_equal(a.asked, 0);
	assert_int_equal(b.asked + c.asked, 2);
	assert_int_equal(first.answers + second.answers + third.answers, 0);
	assert_int_equal(needed, 3);
	pool_verified(&b.entry);
	settle();
	assert_ptr_equal(first.got, fake(2));
	park(pool, &a, here, 4); /* a fresh one */
	settle();
	assert_ptr_equal(second.got, fake(4));
	assert_int_equal(pool_parked(pool), 1);
	assert_true(pool_lost(&c.entry)); /* it has not answered */
	assert_int_equal(third.answers, 0);
	pool_close(pool);
	settle();
	assert_int_equal(third.answers, 1);
	assert_null(third.got);
	pool_release(pool);
	clock_fake(0, 0);
}

static void
what_is_verified_after_a_doubt_is_trusted_until_the_next(void **state)
{
	struct pool *pool = new_pool(8, NULL);
	struct owner a, b;
	struct asker first, second;

	(void)state;
	hold_clocks_at(1000);
	park(pool, &a, here, 1);
	park(pool, &b, here, 2);
	hold_clocks_at(2000);
	pool_distrust(pool);
	settle();
	hold_clocks_at(2001);
	pool_verified(&a.entry);
	ask(pool, &first);
	settle();
	assert_ptr_equal(first.got, fake(1));
	hold_clocks_at(3000);
	pool_distrust(pool);
	pool_distrust(pool); /* who is being asked is not asked again */
	settle();
	assert_int_equal(b.asked, 2);
	ask(pool, &second);
	settle();
	assert_int_equal(second.answers, 0);
	pool_cancel(second.request);
	pool_close(pool);
	settle();
	pool_release(pool);
	clock_fake(0, 0);
}

/* The owner may be about to free it: then it waits for this. */
static void
who_is_being_asked_may_leave_and_hears_of_it_later(void **state)
{
	struct pool *pool = new_pool(8, NULL);
	struct owner a;

	(void)state;
	park(pool, &a, there, 1);
	assert_false(pool_is_asking(&a.entry));
	pool_distrust(pool);
	assert_true(pool_lost(&a.entry));
	assert_true(pool_is_asking(&a.entry));
	settle();
	assert_false(pool_is_asking(&a.entry));
	assert_int_equal(a.asked, 1);
	pool_release(pool);
}

enum { ASKERS = 300 };

/* Parks `count` channels, one after another. */
static void
park_many(struct pool *pool, struct owner *owners, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(park(pool, &owners[i], there, (int)(i % 8)), POOL_PARKED);
	settle();
}

static unsigned
answered(const struct asker *askers, unsigned count)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < count; i++)
		sum += askers[i].answers > 0 && askers[i].got;
	return sum;
}

static void
hundreds_who_wait_move_nobodys_turn(void **state)
{
	static struct asker many[ASKERS], one, two[2];
	static struct owner owners[ASKERS + 3];
	struct pool *pool = new_pool(8, NULL);
	char from[40];

	(void)state;
	for (unsigned i = 0; i < ASKERS; i++) {
		snprintf(from, sizeof from, "[2001:db8:1:%x::1]:1", i % 20);
		assert_true(ask_from(pool, &many[i], from));
	}
	assert_true(ask_from(pool, &one, "192.0.2.1:1"));
	assert_true(ask_from(pool, &two[0], "198.51.100.1:1"));
	assert_true(ask_from(pool, &two[1], "198.51.100.2:1"));
	park_many(pool, owners, 2);
	assert_int_equal(one.answers, 1);
	assert_int_equal(answered(many, ASKERS), 1);
	park_many(pool, owners + 2, 3);
	assert_int_equal(answered(two, 2), 2);
	assert_int_equal(answered(many, ASKERS), 2);
	park_many(pool, owners + 5, ASKERS - 2);
	assert_int_equal(answered(many, ASKERS), ASKERS);
	assert_int_equal(pool_waiting(pool), 0);
	pool_release(pool);
}

static void
those_of_one_network_are_served_in_the_order_they_came(void **state)
{
	static struct asker askers[4];
	static struct owner owners[4];
	struct pool *pool = new_pool(8, NULL);

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		assert_true(ask_from(pool, &askers[i], i % 2 ? "192.0.2.1:1" : "192.0.2.2:1"));
	for (unsigned i = 0; i < 4; i++) {
		park_many(pool, &owners[i], 1);
		assert_int_equal(answered(askers, 4), i + 1);
		assert_int_equal(askers[i].answers, 1);
	}
	pool_release(pool);
}

static void
hundreds_from_next_door_move_nobodys_turn(void **state)
{
	static struct asker many[ASKERS], one, six;
	static struct owner owners[ASKERS];
	struct pool *pool = new_pool(8, NULL);

	(void)state;
	for (unsigned i = 0; i < ASKERS; i++)
		assert_true(ask_from(pool, &many[i], i % 2 ? "192.0.2.9:1" : "[2001:db8:1:9::1]:1"));
	assert_true(ask_from(pool, &one, "192.0.2.1:1"));
	assert_true(ask_from(pool, &six, "[2001:db8:1:1::1]:1"));
	park_many(pool, owners, 4);
	assert_int_equal(one.answers + six.answers, 2);
	assert_int_equal(answered(many, ASKERS), 2);
	pool_close(pool);
	settle();
	pool_release(pool);
}

/* Asks until it is refused, and returns how many times it was not. */
static unsigned
ask_as_often_as_possible(struct pool *pool, struct asker *askers, const char *from)
{
	unsigned count = 0;

	while (ask_from(pool, &askers[count], from))
		count++;
	return count;
}

/* A host alone may have a third of the places, its network half; then there is always one for somebody new. */
static void
a_line_may_be_as_long_as_those_above_have_places_left(void **state)
{
	static struct asker one[8], next_door[8], elsewhere[8], more;
	struct pool_settings settings = { .most = 8, .most_waiting = 12, .on_need = on_need };
	struct pool *pool = pool_new(&settings);

	(void)state;
	assert_int_equal(ask_as_often_as_possible(pool, one, "192.0.2.1:1"), 4);
	assert_int_equal(ask_as_often_as_possible(pool, next_door, "192.0.2.9:1"), 2);
	assert_false(ask_from(pool, &more, "192.0.2.7:1"));
	assert_int_equal(ask_as_often_as_possible(pool, elsewhere, "198.51.100.1:1"), 2);
	assert_int_equal(pool_waiting(pool), 8);
	assert_int_equal(needed, 8);
	for (unsigned i = 0; i < 4; i++)
		pool_cancel(one[i].request);
	assert_int_equal(ask_as_often_as_possible(pool, one, "192.0.2.7:1"), 2);
	pool_close(pool);
	settle();
	assert_int_equal(pool_waiting(pool), 0);
	pool_release(pool);
}

/* It had waited longest, so it is the next one of its network. */
static void
whose_channel_is_lost_on_its_way_comes_back_to_the_head(void **state)
{
	static struct asker first, second, elsewhere;
	static struct owner owners[3];
	struct pool_settings settings = { .most = 8, .most_waiting = 4, .on_need = on_need };
	struct pool *pool = pool_new(&settings);

	(void)state;
	assert_true(ask_from(pool, &first, "192.0.2.1:1"));
	assert_int_equal(park(pool, &owners[0], there, 1), POOL_PARKED);
	owners[0].channel = NULL;
	assert_true(ask_from(pool, &second, "192.0.2.2:1"));
	assert_true(ask_from(pool, &elsewhere, "198.51.100.1:1"));
	settle();
	assert_int_equal(pool_waiting(pool), 3);
	park_many(pool, &owners[1], 1);
	assert_int_equal(first.answers, 1);
	assert_int_equal(second.answers, 0);
	pool_close(pool);
	settle();
	pool_release(pool);
}

/* Neither agent nor relay dials while one of them drains; what is parked is of use to the end. */
static void
nobody_waits_for_a_channel_while_it_drains(void **state)
{
	struct pool *pool = new_pool(8, NULL);
	struct asker waiting, late, served, last;
	struct owner a, b;

	(void)state;
	ask(pool, &waiting);
	needed = 0;
	pool_drain(pool);
	settle();
	assert_int_equal(waiting.answers, 1);
	assert_null(waiting.got);
	ask(pool, &late);
	settle();
	assert_int_equal(late.answers, 1);
	assert_null(late.got);
	assert_int_equal(pool_waiting(pool), 0);
	park(pool, &a, there, 1); /* it was on its way */
	ask(pool, &served);
	settle();
	assert_ptr_equal(served.got, fake(1));
	park(pool, &b, there, 2);
	ask(pool, &last);
	assert_false(pool_lost(&b.entry));
	b.channel = NULL;
	settle();
	assert_int_equal(last.answers, 1);
	assert_null(last.got);
	assert_int_equal(needed, 0);
	pool_close(pool);
	pool_release(pool);
}

/* Its agent cannot dial at the moment; what comes later is not told before it is tried. */
static void
whoever_waits_is_disappointed_and_who_comes_later_waits(void **state)
{
	struct pool *pool = new_pool(8, NULL);
	struct asker waiting, late;
	struct owner a;

	(void)state;
	ask(pool, &waiting);
	pool_disappoint(pool);
	settle();
	assert_int_equal(waiting.answers, 1);
	assert_null(waiting.got);
	ask(pool, &late);
	settle();
	assert_int_equal(late.answers, 0);
	park(pool, &a, there, 1);
	settle();
	assert_ptr_equal(late.got, fake(1));
	pool_close(pool);
	pool_release(pool);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(gives_the_most_recently_verified_from_any_worker),
		TEST(gives_a_worker_its_own_before_others_that_are_as_good),
		TEST(who_finds_none_waits_and_the_agent_is_told),
		TEST(nobody_waits_for_a_channel_while_it_drains),
		TEST(whoever_waits_is_disappointed_and_who_comes_later_waits),
		TEST(a_channel_lost_on_its_way_is_replaced),
		TEST(who_gives_up_is_not_answered),
		TEST(is_too_big_when_more_than_the_least_is_in_the_way),
		TEST(has_bounds_for_itself_and_for_the_identity),
		TEST(what_its_usage_owes_is_dropped_the_longest_unverified_first),
		TEST(when_the_session_goes_all_hear_of_it),
		TEST(of_a_distrusted_pool_only_what_is_verified_since_is_given_away),
		TEST(what_is_verified_after_a_doubt_is_trusted_until_the_next),
		TEST(who_is_being_asked_may_leave_and_hears_of_it_later),
		TEST(hundreds_who_wait_move_nobodys_turn),
		TEST(those_of_one_network_are_served_in_the_order_they_came),
		TEST(hundreds_from_next_door_move_nobodys_turn),
		TEST(a_line_may_be_as_long_as_those_above_have_places_left),
		TEST(whose_channel_is_lost_on_its_way_comes_back_to_the_head),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("relay/pool", tests, NULL, NULL);
}
