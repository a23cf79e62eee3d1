/* Tests of base/shares: who gets in, who leaves, and what the counting costs. */
#include "base/shares.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "helpers.h"

struct table_guest {
	struct shares_place *place;
	int evicted;
	unsigned long evicted_at; /* in the order in which they heard of it */
};

struct shares_turn_end {
	struct call call;
	struct loop *loop;
};

static struct loop *loop;
static struct shares *shares;
static _Atomic unsigned long evictions;

static void
on_evict(void *arg)
{
	struct table_guest *guest = arg;

	guest->evicted++;
	guest->evicted_at = ++evictions;
	shares_leave(guest->place);
	guest->place = NULL;
}

static void
turn_over(void *data)
{
	loop_stop(((struct shares_turn_end *)data)->loop);
}

/* Runs what was called up to now. */
static void
turn(struct loop *of)
{
	struct shares_turn_end end = { .loop = of };

	loop_call(of, &end.call, turn_over, &end);
	loop_run(of);
}

static struct address
address_of(const char *host)
{
	struct address address;
	char text[80];

	snprintf(text, sizeof text, strchr(host, ':') ? "[%s]:1" : "%s:1", host);
	assert_true(address_parse(&address, text));
	return address;
}

static enum shares_verdict
enter_from(struct table_guest *guest, uint8_t owner, const struct address *from)
{
	struct shares_entrant entrant = { loop, from, owner, on_evict, guest };
	enum shares_verdict verdict;

	*guest = (struct table_guest){ 0 };
	guest->place = shares_enter(shares, &entrant, &verdict);
	assert_int_equal(verdict == SHARES_IN, guest->place != NULL);
	return verdict;
}

static enum shares_verdict
enter(struct table_guest *guest, const char *from)
{
	struct address address = address_of(from);

	return enter_from(guest, 0, &address);
}

static void
leave_all(struct table_guest *guests, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		shares_leave(guests[i].place);
		guests[i].place = NULL;
	}
}

/* How many of them were evicted by now. */
static int
evicted(const struct table_guest *guests, size_t count)
{
	int sum = 0;

	turn(loop);
	for (size_t i = 0; i < count; i++)
		sum += guests[i].evicted;
	return sum;
}

static void
open_shares(enum shares_leaver leaver, uint64_t most, uint64_t most_per_client)
{
	shares = shares_new(leaver);
	assert_non_null(shares);
	shares_set_bounds(shares, &(struct shares_bounds){ most, most_per_client });
}

static int
set_up(void **state)
{
	(void)state;
	loop = loop_new();
	return loop ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	loop_free(loop);
	if (shares)
		assert_int_equal(shares_count(shares), 0);
	shares_free(shares);
	shares = NULL;
	return 0;
}

static void
lets_everybody_in_while_there_is_room(void **state)
{
	struct table_guest guests[100];

	(void)state;
	open_shares(SHARES_NEWEST, 100, 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(enter(&guests[i], "192.0.2.1"), SHARES_IN);
	assert_int_equal(evicted(guests, 100), 0);
	assert_int_equal(shares_count(shares), 100);
	leave_all(guests, 100);
}

static void
a_newcomer_of_the_heaviest_block_is_refused(void **state)
{
	struct table_guest guests[10], more;

	(void)state;
	open_shares(SHARES_NEWEST, 10, 0);
	for (int i = 0; i < 10; i++)
		enter(&guests[i], i < 4 ? "192.0.2.1" : "198.51.100.1");
	assert_int_equal(enter(&more, "198.51.100.1"), SHARES_FULL);
	assert_int_equal(evicted(guests, 10), 0);
	assert_int_equal(shares_count(shares), 10);
	leave_all(guests, 10);
}

static void
nobody_is_displaced_by_who_would_have_as_much(void **state)
{
	struct table_guest guests[4], more;

	(void)state;
	open_shares(SHARES_NEWEST, 4, 0);
	for (int i = 0; i < 4; i++)
		enter(&guests[i], i < 2 ? "192.0.2.1" : "198.51.100.1");
	assert_int_equal(enter(&more, "192.0.2.1"), SHARES_FULL);
	assert_int_equal(evicted(guests, 4), 0);
	leave_all(guests, 4);
}

static void
the_heaviest_loses_its_newest(void **state)
{
	struct table_guest guests[10], more[2];

	(void)state;
	open_shares(SHARES_NEWEST, 10, 0);
	for (int i = 0; i < 10; i++)
		enter(&guests[i], i == 0 ? "198.51.100.1" : "192.0.2.1");
	assert_int_equal(enter(&more[0], "203.0.113.1"), SHARES_IN);
	assert_int_equal(guests[9].evicted, 0); /* never from inside */
	assert_int_equal(evicted(guests, 10), 1);
	assert_int_equal(guests[9].evicted, 1);
	assert_int_equal(enter(&more[1], "198.51.100.1"), SHARES_IN);
	assert_int_equal(evicted(guests, 10), 2);
	assert_int_equal(guests[8].evicted, 1);
	leave_all(guests, 10);
	leave_all(more, 2);
}

static void
where_the_oldest_leave_the_heaviest_loses_its_oldest(void **state)
{
	struct table_guest guests[41];

	(void)state;
	open_shares(SHARES_OLDEST, 40, 0);
	enter(&guests[0], "192.0.2.1");
	for (int i = 1; i <= 35; i++)
		enter(&guests[i], "2001:db8::1");
	for (int i = 36; i < 40; i++)
		enter(&guests[i], "198.51.100.2");
	assert_int_equal(enter(&guests[40], "203.0.113.3"), SHARES_IN);
	assert_int_equal(evicted(guests, 41), 1);
	assert_int_equal(guests[1].evicted, 1);
	leave_all(guests, 41);
}

static void
where_the_oldest_leave_a_flood_displaces_itself(void **state)
{
	struct table_guest guests[8];

	(void)state;
	open_shares(SHARES_OLDEST, 4, 0);
	enter(&guests[0], "192.0.2.1");
	for (int i = 1; i < 8; i++)
		assert_int_equal(enter(&guests[i], "198.51.100.1"), SHARES_IN);
	assert_int_equal(evicted(guests, 8), 4);
	for (int i = 0; i < 8; i++)
		assert_int_equal(guests[i].evicted, i >= 1 && i <= 4);
	leave_all(guests, 8);
}

/* Nobody is heavier than anybody, and yet a newcomer is let in: what has waited longest leaves. */
static void
where_the_oldest_leave_equals_leave_in_the_order_they_came(void **state)
{
	struct table_guest guests[8];
	char from[20];

	(void)state;
	open_shares(SHARES_OLDEST, 4, 0);
	for (int i = 0; i < 8; i++) {
		snprintf(from, sizeof from, "10.%d.0.1", i);
		assert_int_equal(enter(&guests[i], from), SHARES_IN);
	}
	assert_int_equal(evicted(guests, 8), 4);
	for (int i = 0; i < 8; i++)
		assert_int_equal(guests[i].evicted, i < 4);
	leave_all(guests, 8);
}

static void
what_a_place_weighs_counts(void **state)
{
	struct table_guest guests[3];

	(void)state;
	open_shares(SHARES_OLDEST, 1000, 0);
	enter(&guests[0], "192.0.2.1");
	enter(&guests[1], "198.51.100.2");
	enter(&guests[2], "198.51.100.2");
	shares_weigh(guests[0].place, 500);
	shares_weigh(guests[1].place, 400);
	assert_int_equal(evicted(guests, 3), 0);
	shares_weigh(guests[2].place, 200);
	assert_int_equal(evicted(guests, 3), 1);
	assert_int_equal(guests[1].evicted, 1);
	shares_weigh(guests[2].place, 5000);
	assert_int_equal(evicted(guests, 3), 2);
	assert_int_equal(guests[2].evicted, 1);
	shares_weigh(guests[0].place, 5000); /* the last one may stay */
	assert_int_equal(evicted(guests, 3), 2);
	leave_all(guests, 3);
}

static void
who_has_many_places_and_little_weight_keeps_them(void **state)
{
	struct table_guest many[50], heavy[2];

	(void)state;
	open_shares(SHARES_OLDEST, 1000, 0);
	for (int i = 0; i < 50; i++)
		enter(&many[i], "192.0.2.1");
	enter(&heavy[0], "198.51.100.2");
	enter(&heavy[1], "198.51.100.3");
	shares_weigh(heavy[0].place, 450);
	shares_weigh(heavy[1].place, 550);
	assert_int_equal(evicted(many, 50), 0);
	assert_int_equal(evicted(heavy, 2), 1);
	assert_int_equal(heavy[1].evicted, 1);
	leave_all(many, 50);
	leave_all(heavy, 2);
}

static void
who_has_become_lighter_keeps_his_place(void **state)
{
	struct table_guest guests[2];

	(void)state;
	open_shares(SHARES_OLDEST, 1000, 0);
	enter(&guests[0], "192.0.2.1");
	enter(&guests[1], "198.51.100.2");
	shares_weigh(guests[0].place, 900);
	shares_weigh(guests[0].place, 300);
	shares_weigh(guests[1].place, 700);
	assert_int_equal(evicted(guests, 2), 0);
	shares_weigh(guests[0].place, 301);
	assert_int_equal(evicted(guests, 2), 1);
	assert_int_equal(guests[1].evicted, 1);
	leave_all(guests, 2);
}

static void
who_weighs_no_more_hears_of_a_lower_bound(void **state)
{
	struct table_guest guests[2];

	(void)state;
	open_shares(SHARES_OLDEST, 1000, 0);
	enter(&guests[0], "192.0.2.1");
	enter(&guests[1], "198.51.100.2");
	shares_weigh(guests[0].place, 500);
	shares_set_bounds(shares, &(struct shares_bounds){ .most = 400 });
	shares_weigh(guests[1].place, 1);
	assert_int_equal(evicted(guests, 2), 1);
	assert_int_equal(guests[0].evicted, 1);
	leave_all(guests, 2);
}

static void
a_weight_has_an_end(void **state)
{
	struct table_guest guests[2];

	(void)state;
	open_shares(SHARES_OLDEST, 2 * SHARES_WEIGHT_MOST, 0);
	enter(&guests[0], "192.0.2.1");
	enter(&guests[1], "198.51.100.2");
	shares_weigh(guests[0].place, UINT32_MAX);
	shares_weigh(guests[1].place, UINT32_MAX);
	assert_int_equal(evicted(guests, 2), 0);
	leave_all(guests, 2);
	assert_true(shares_memory(shares) < 64 << 10);
}

static void
one_that_grows_too_large_hears_of_it_by_message(void **state)
{
	struct table_guest guests[2];

	(void)state;
	open_shares(SHARES_OLDEST, 1000, 0);
	enter(&guests[0], "192.0.2.1");
	enter(&guests[1], "192.0.2.1");
	shares_weigh(guests[0].place, 1001);
	assert_int_equal(guests[0].evicted, 0);
	assert_int_equal(evicted(guests, 2), 1);
	assert_int_equal(guests[0].evicted, 1);
	leave_all(guests, 2);
}

static void
who_leaves_before_the_message_comes_is_not_called(void **state)
{
	struct table_guest guests[2];

	(void)state;
	open_shares(SHARES_OLDEST, 1, 0);
	enter(&guests[0], "192.0.2.1");
	enter(&guests[1], "198.51.100.2");
	shares_leave(guests[0].place);
	assert_int_equal(evicted(guests, 2), 0);
	leave_all(&guests[1], 1);
}

static void
a_client_may_have_a_bound_of_its_own(void **state)
{
	struct table_guest guests[4], more;

	(void)state;
	open_shares(SHARES_NEWEST, 10, 2);
	assert_int_equal(enter(&guests[0], "192.0.2.1"), SHARES_IN);
	assert_int_equal(enter(&guests[1], "192.0.2.1"), SHARES_IN);
	assert_int_equal(enter(&more, "192.0.2.1"), SHARES_CLIENT_FULL);
	assert_int_equal(enter(&guests[2], "192.0.2.2"), SHARES_IN);
	shares_leave(guests[1].place);
	assert_int_equal(enter(&guests[1], "192.0.2.1"), SHARES_IN);
	assert_int_equal(enter(&guests[3], "2001:db8::1"), SHARES_IN);
	assert_int_equal(enter(&more, "2001:db8:0:1::1"), SHARES_IN);
	leave_all(&more, 1);
	assert_int_equal(evicted(guests, 4), 0);
	leave_all(guests, 4);
}

static void
an_ipv6_client_is_its_64(void **state)
{
	struct table_guest guests[2], more;

	(void)state;
	open_shares(SHARES_NEWEST, 10, 1);
	assert_int_equal(enter(&guests[0], "2001:db8::1"), SHARES_IN);
	assert_int_equal(enter(&more, "2001:db8::ffff:1"), SHARES_CLIENT_FULL);
	assert_int_equal(enter(&guests[1], "2001:db8:0:1::1"), SHARES_IN);
	leave_all(guests, 2);
}

static void
where_the_oldest_leave_a_client_above_its_own_bound_loses_its_oldest(void **state)
{
	struct table_guest guests[4];

	(void)state;
	open_shares(SHARES_OLDEST, 100, 2);
	enter(&guests[0], "192.0.2.9");
	for (int i = 1; i < 4; i++)
		assert_int_equal(enter(&guests[i], "192.0.2.1"), SHARES_IN);
	assert_int_equal(guests[1].evicted, 0); /* never from inside */
	assert_int_equal(shares_count(shares), 3);
	assert_int_equal(evicted(guests, 4), 1);
	assert_int_equal(guests[1].evicted, 1);
	leave_all(guests, 4);
}

static void
bounds_may_change_and_nobody_is_evicted_for_that_alone(void **state)
{
	struct table_guest guests[10], more[2];

	(void)state;
	open_shares(SHARES_NEWEST, 10, 0);
	for (int i = 0; i < 10; i++)
		enter(&guests[i], "192.0.2.1");
	shares_set_bounds(shares, &(struct shares_bounds){ .most = 5 });
	assert_int_equal(evicted(guests, 10), 0);
	assert_int_equal(enter(&more[0], "192.0.2.1"), SHARES_FULL);
	assert_int_equal(enter(&more[0], "198.51.100.2"), SHARES_IN);
	assert_int_equal(evicted(guests, 10), 1);
	shares_set_bounds(shares, &(struct shares_bounds){ .most = 11 });
	assert_int_equal(enter(&more[1], "192.0.2.1"), SHARES_IN);
	assert_int_equal(evicted(guests, 10), 1);
	leave_all(guests, 10);
	leave_all(more, 2);
}

static void
where_the_oldest_leave_a_newcomer_gets_in_after_a_bound_was_lowered(void **state)
{
	struct table_guest guests[10], last;

	(void)state;
	open_shares(SHARES_OLDEST, 100, 0);
	for (int i = 0; i < 10; i++)
		enter(&guests[i], i < 4 ? "192.0.2.1" : "198.51.100.1");
	shares_set_bounds(shares, &(struct shares_bounds){ .most = 1 });
	assert_int_equal(enter(&last, "192.0.2.1"), SHARES_IN);
	assert_int_equal(evicted(guests, 10), 9);
	assert_int_equal(evicted(&last, 1), 0);
	leave_all(guests, 10);
	leave_all(&last, 1);
}

/* ---- blocks ---- */

static void
twenty_64_of_one_48_are_one_block(void **state)
{
	struct table_guest guests[100], honest[60];
	char from[40];
	int in = 0;

	(void)state;
	open_shares(SHARES_NEWEST, 100, 0);
	for (int i = 0; i < 100; i++) {
		snprintf(from, sizeof from, "2001:db8:1:%x::1", i % 20);
		assert_int_equal(enter(&guests[i], from), SHARES_IN);
	}
	for (int i = 0; i < 60; i++)
		in += enter(&honest[i], "2001:db8:2::1") == SHARES_IN;
	assert_int_equal(in, 50); /* as much as the twenty together */
	assert_int_equal(evicted(guests, 100), 50);
	assert_int_equal(evicted(honest, 60), 0);
	leave_all(guests, 100);
	leave_all(honest, 60);
}

/* Whichever came first: all neighbours together have less than half of what the one has. */
static void
the_neighbours_of_who_floods_keep_their_places(void **state)
{
	static struct table_guest flood[1000], neighbours[200], others[300];
	char from[20];

	(void)state;
	for (int first = 0; first < 2; first++) {
		open_shares(SHARES_NEWEST, 1000, 0);
		for (int i = 0; i < 800 && first == 0; i++)
			enter(&flood[i], "192.0.2.255");
		for (int i = 0; i < 200; i++) {
			snprintf(from, sizeof from, "192.0.2.%d", i);
			assert_int_equal(enter(&neighbours[i], from), SHARES_IN);
		}
		for (int i = 0; i < 800 && first == 1; i++)
			enter(&flood[i], "192.0.2.255");
		for (int i = 800; i < 1000; i++)
			assert_int_equal(enter(&flood[i], "192.0.2.255"), SHARES_FULL);
		for (int i = 0; i < 300; i++)
			assert_int_equal(enter(&others[i], "198.51.100.1"), SHARES_IN);
		assert_int_equal(evicted(neighbours, 200), 0);
		assert_int_equal(evicted(flood, 800), 300);
		leave_all(flood, 800);
		leave_all(neighbours, 200);
		leave_all(others, 300);
		turn(loop);
		shares_free(shares);
		shares = NULL;
	}
}

static void
neighbours_may_displace_who_floods_from_their_network(void **state)
{
	static struct table_guest flood[100], neighbour, other;

	(void)state;
	open_shares(SHARES_NEWEST, 100, 0);
	for (int i = 0; i < 100; i++)
		enter(&flood[i], "192.0.2.66");
	assert_int_equal(enter(&neighbour, "192.0.2.67"), SHARES_IN);
	assert_int_equal(evicted(flood, 100), 1);
	assert_int_equal(enter(&other, "192.0.2.66"), SHARES_FULL);
	leave_all(flood, 100);
	leave_all(&neighbour, 1);
}

static void
addresses_of_other_kinds_are_one_client(void **state)
{
	struct table_guest guests[2], more;
	struct address none = { 0 }, local = { 0 };

	(void)state;
	open_shares(SHARES_NEWEST, 10, 1);
	assert_true(address_parse(&local, "unix:/run/x"));
	assert_int_equal(enter_from(&guests[0], 0, &none), SHARES_IN);
	assert_int_equal(enter_from(&more, 0, &local), SHARES_CLIENT_FULL);
	assert_int_equal(enter(&guests[1], "0.0.0.0"), SHARES_IN);
	leave_all(guests, 2);
}

/* ---- owners ---- */

static void
the_heaviest_owner_pays_first(void **state)
{
	struct table_guest hostile[90], honest[10], more[40];
	struct address one = address_of("192.0.2.1");
	char from[20];

	(void)state;
	open_shares(SHARES_NEWEST, 100, 0);
	for (int i = 0; i < 90; i++) {
		struct address invented;

		snprintf(from, sizeof from, "10.%d.0.1", i);
		invented = address_of(from);
		assert_int_equal(enter_from(&hostile[i], 7, &invented), SHARES_IN);
	}
	for (int i = 0; i < 10; i++)
		assert_int_equal(enter_from(&honest[i], 2, &one), SHARES_IN);
	for (int i = 0; i < 40; i++)
		assert_int_equal(enter_from(&more[i], 2, &one), SHARES_IN);
	assert_int_equal(evicted(hostile, 90), 40);
	assert_int_equal(evicted(honest, 10) + evicted(more, 40), 0);
	assert_int_equal(shares_count(shares), 100); /* so that the honest ones have 50, and the others the rest */
	leave_all(hostile, 90);
	leave_all(honest, 10);
	leave_all(more, 40);
}

/* The same client block through two owners is two clients. */
static void
a_block_counts_for_each_owner_alone(void **state)
{
	struct table_guest guests[4];
	struct address one = address_of("192.0.2.1");

	(void)state;
	open_shares(SHARES_NEWEST, 10, 1);
	for (uint8_t i = 0; i < 4; i++)
		assert_int_equal(enter_from(&guests[i], i, &one), SHARES_IN);
	leave_all(guests, 4);
}

/* ---- against a model that counts by looking at all ---- */

enum { MODEL_GUESTS = 120, MODEL_STEPS = 20000 };

struct model_guest {
	struct table_guest guest;
	bool is_in;
	unsigned owner, network, host, weight;
	unsigned long entered;
};

static struct model_guest model[MODEL_GUESTS];
static unsigned long entered;

enum level { LEVEL_ALL, LEVEL_OWNER, LEVEL_NETWORK, LEVEL_HOST };

static bool
are_together(const struct model_guest *a, const struct model_guest *b, enum level level)
{
	return a->is_in && b->is_in && (level < LEVEL_OWNER || a->owner == b->owner) &&
	    (level < LEVEL_NETWORK || a->network == b->network) && (level < LEVEL_HOST || a->host == b->host);
}

static unsigned
weight_with(const struct model_guest *guest, enum level level)
{
	unsigned weight = 0;

	for (int i = 0; i < MODEL_GUESTS; i++)
		weight += are_together(guest, &model[i], level) ? model[i].weight : 0;
	return weight;
}

/* The most that anybody has on this level among those who are with `guest` on the level above. */
static unsigned
most_beside(const struct model_guest *guest, enum level level)
{
	unsigned most = 0;

	for (int i = 0; i < MODEL_GUESTS; i++) {
		if (are_together(guest, &model[i], level - 1) && weight_with(&model[i], level) > most)
			most = weight_with(&model[i], level);
	}
	return most;
}

static unsigned
weight_of_all(void)
{
	unsigned weight = 0;

	for (int i = 0; i < MODEL_GUESTS; i++)
		weight += model[i].is_in ? model[i].weight : 0;
	return weight;
}

static void
check_victim(const struct model_guest *victim, enum shares_leaver leaver)
{
	for (enum level level = LEVEL_OWNER; level <= LEVEL_HOST; level++)
		assert_int_equal(weight_with(victim, level), most_beside(victim, level));
	for (int i = 0; i < MODEL_GUESTS; i++) {
		if (!are_together(victim, &model[i], LEVEL_HOST))
			continue;
		if (leaver == SHARES_NEWEST)
			assert_true(model[i].entered <= victim->entered);
		else
			assert_true(model[i].entered >= victim->entered);
	}
}

static struct address
model_address(const struct model_guest *guest)
{
	char text[60];

	if (guest->network % 2)
		snprintf(text, sizeof text, "10.0.%u.%u", guest->network, guest->host);
	else
		snprintf(text, sizeof text, "2001:db8:%x:%x::%x", guest->network, guest->host, rand() & 0xffff);
	return address_of(text);
}

static struct model_guest *
first_victim(void)
{
	struct model_guest *first = NULL;

	for (int i = 0; i < MODEL_GUESTS; i++) {
		if (model[i].is_in && model[i].guest.evicted > 0 &&
		    (!first || model[i].guest.evicted_at < first->guest.evicted_at))
			first = &model[i];
	}
	return first;
}

/* Those who have to leave, one after the other. */
static unsigned
check_victims(enum shares_leaver leaver)
{
	struct model_guest *victim;
	unsigned count = 0;

	turn(loop);
	for (; (victim = first_victim()); count++) {
		check_victim(victim, leaver);
		victim->is_in = false;
	}
	return count;
}

static void
model_enter(struct model_guest *guest, enum shares_leaver leaver, bool full)
{
	struct address from;

	guest->owner = (unsigned)rand() % 3;
	guest->network = (unsigned)rand() % (rand() % 4 ? 3 : 40);
	guest->host = (unsigned)rand() % (rand() % 4 ? 2 : 12);
	guest->weight = 1;
	guest->entered = ++entered;
	from = model_address(guest);
	guest->is_in = true;
	if (enter_from(&guest->guest, (uint8_t)guest->owner, &from) == SHARES_IN) {
		assert_int_equal(check_victims(leaver), full);
		return;
	}
	assert_true(full);
	check_victim(guest, leaver);
	guest->is_in = false;
	assert_int_equal(check_victims(leaver), 0);
}

/* True if somebody had to leave for that. */
static bool
model_weigh(struct model_guest *guest, uint64_t most, unsigned heaviest)
{
	unsigned count;

	guest->weight = 1 + (unsigned)rand() % heaviest;
	shares_weigh(guest->guest.place, guest->weight);
	count = check_victims(SHARES_OLDEST);
	assert_true(weight_of_all() <= most);
	return count > 0;
}

/* heaviest: a place may weigh as much; above 1 only with SHARES_OLDEST. */
static void
compare_with_model(enum shares_leaver leaver, uint64_t most, unsigned heaviest)
{
	unsigned long refused_or_evicted = 0;

	srand(1);
	memset(model, 0, sizeof model);
	open_shares(leaver, most, 0);
	for (int step = 0; step < MODEL_STEPS; step++) {
		struct model_guest *guest = &model[rand() % MODEL_GUESTS];
		bool full = weight_of_all() == most;

		if (!guest->is_in && (rand() % 3 || step % 2000 < 1000)) {
			model_enter(guest, leaver, full);
			refused_or_evicted += full;
		} else if (guest->is_in && heaviest > 1 && rand() % 3) {
			refused_or_evicted += model_weigh(guest, most, heaviest);
		} else if (guest->is_in && step % 2000 >= 800) {
			leave_all(&guest->guest, 1);
			guest->is_in = false;
		}
		if (step % 50 == 0 && guest->is_in && heaviest == 1)
			assert_int_equal(shares_count(shares), weight_with(guest, LEVEL_ALL));
	}
	assert_true(refused_or_evicted > 500);
	for (int i = 0; i < MODEL_GUESTS; i++)
		leave_all(&model[i].guest, 1);
	turn(loop);
}

static void
the_newest_leave_as_a_naive_model_says(void **state)
{
	(void)state;
	compare_with_model(SHARES_NEWEST, 60, 1);
}

static void
the_oldest_leave_as_a_naive_model_says(void **state)
{
	(void)state;
	compare_with_model(SHARES_OLDEST, 50, 1);
}

static void
the_heaviest_leave_as_a_naive_model_says(void **state)
{
	(void)state;
	compare_with_model(SHARES_OLDEST, 400, 30);
}

/* ---- size ---- */

enum { MILLION = 1000000, BOUND_BYTES = 64 * MILLION };

static void
a_million_addresses_take_at_most_64_mb(void **state)
{
	struct table_guest *guests = calloc(MILLION, sizeof *guests);
	size_t most;

	(void)state;
	assert_non_null(guests);
	open_shares(SHARES_NEWEST, 2 * MILLION, 0);
	srand(2);
	for (int i = 0; i < MILLION; i++) {
		struct address from = { .bytes = sizeof(struct sockaddr_in), .as.v4.sin_family = AF_INET };

		from.as.v4.sin_addr.s_addr = (uint32_t)rand() << 16 ^ (uint32_t)rand();
		assert_int_equal(enter_from(&guests[i], 0, &from), SHARES_IN);
	}
	most = shares_memory(shares);
	for (int i = 0; i < MILLION; i += 2)
		leave_all(&guests[i], 1);
	print_message("# a million random IPv4 addresses: %zu bytes, half of them left: %zu", most,
	    shares_memory(shares));
	assert_true(most <= BOUND_BYTES);
	assert_true(shares_memory(shares) < most * 6 / 10);
	for (int i = 1; i < MILLION; i += 2)
		leave_all(&guests[i], 1);
	print_message(", all left: %zu\n", shares_memory(shares));
	assert_true(shares_memory(shares) < 64 << 10);
	free(guests);
}

/* ---- threads ---- */

enum { THREADS = 4, THREAD_GUESTS = 64, THREAD_STEPS = 3000 };

struct thread_of_guests {
	pthread_t thread;
	struct loop *loop;
	struct table_guest guests[THREAD_GUESTS];
	unsigned number, evicted;
};

static void
thread_step(struct thread_of_guests *self, unsigned step)
{
	struct table_guest *guest = &self->guests[step % THREAD_GUESTS];
	struct address from = { .bytes = sizeof(struct sockaddr_in), .as.v4.sin_family = AF_INET,
		.as.v4.sin_addr.s_addr = self->number << 24 | step % 5 };
	struct shares_entrant entrant = { self->loop, &from, 0, on_evict, guest };
	enum shares_verdict verdict;

	if (guest->place) {
		shares_leave(guest->place);
		guest->place = NULL;
	} else {
		guest->place = shares_enter(shares, &entrant, &verdict);
		if (guest->place)
			shares_weigh(guest->place, 1 + step % 2);
	}
	if (step % 8 == 0)
		turn(self->loop);
}

static void *
thread_main(void *arg)
{
	struct thread_of_guests *self = arg;

	for (unsigned step = 0; step < THREAD_STEPS; step++)
		thread_step(self, step);
	for (int i = 0; i < THREAD_GUESTS; i++) {
		shares_leave(self->guests[i].place);
		self->evicted += (unsigned)self->guests[i].evicted;
	}
	turn(self->loop);
	return NULL;
}

static void
evictions_cross_threads(void **state)
{
	static struct thread_of_guests threads[THREADS];
	unsigned sum = 0;

	(void)state;
	open_shares(SHARES_OLDEST, 20, 0);
	for (unsigned i = 0; i < THREADS; i++) {
		threads[i] = (struct thread_of_guests){ .loop = loop_new(), .number = i };
		assert_int_equal(pthread_create(&threads[i].thread, NULL, thread_main, &threads[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i].thread, NULL);
	for (unsigned i = 0; i < THREADS; i++) {
		loop_free(threads[i].loop);
		sum += threads[i].evicted;
	}
	assert_true(sum > 100);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	TEST(lets_everybody_in_while_there_is_room),
	TEST(a_newcomer_of_the_heaviest_block_is_refused),
	TEST(nobody_is_displaced_by_who_would_have_as_much),
	TEST(the_heaviest_loses_its_newest),
	TEST(where_the_oldest_leave_the_heaviest_loses_its_oldest),
	TEST(where_the_oldest_leave_a_flood_displaces_itself),
	TEST(where_the_oldest_leave_equals_leave_in_the_order_they_came),
	TEST(what_a_place_weighs_counts),
	TEST(who_has_many_places_and_little_weight_keeps_them),
	TEST(who_has_become_lighter_keeps_his_place),
	TEST(who_weighs_no_more_hears_of_a_lower_bound),
	TEST(a_weight_has_an_end),
	TEST(one_that_grows_too_large_hears_of_it_by_message),
	TEST(who_leaves_before_the_message_comes_is_not_called),
	TEST(a_client_may_have_a_bound_of_its_own),
	TEST(an_ipv6_client_is_its_64),
	TEST(where_the_oldest_leave_a_client_above_its_own_bound_loses_its_oldest),
	TEST(bounds_may_change_and_nobody_is_evicted_for_that_alone),
	TEST(where_the_oldest_leave_a_newcomer_gets_in_after_a_bound_was_lowered),
	TEST(twenty_64_of_one_48_are_one_block),
	TEST(the_neighbours_of_who_floods_keep_their_places),
	TEST(neighbours_may_displace_who_floods_from_their_network),
	TEST(addresses_of_other_kinds_are_one_client),
	TEST(the_heaviest_owner_pays_first),
	TEST(a_block_counts_for_each_owner_alone),
	TEST(the_newest_leave_as_a_naive_model_says),
	TEST(the_oldest_leave_as_a_naive_model_says),
	TEST(the_heaviest_leave_as_a_naive_model_says),
	TEST(a_million_addresses_take_at_most_64_mb),
	TEST(evictions_cross_threads),
};

RUN_TESTS("base/shares", tests)
