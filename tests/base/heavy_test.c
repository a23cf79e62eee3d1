/* Tests of base/heavy and loop_heavy(): handshakes have their turn, and no more than that. */
#include "base/heavy.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/address.h"
#include "base/clock.h"
#include "base/clock_fake.h"
#include "base/loop.h"
#include "helpers.h"

enum { STEP_US = 700, WORKS_MOST = 1000 };

static struct loop *loop;

/* A handshake that burns time in each of its steps. */
struct work {
	struct heavy heavy;
	unsigned steps_left, cost_us;
	char name;
};

static struct work works[WORKS_MOST];
static char story[WORKS_MOST + 1];
static size_t told, wanted;

static int
set_up(void **state)
{
	(void)state;
	clock_fake(1000000, 1767225600000000);
	told = 0;
	loop = loop_new();
	return !loop;
}

static int
tear_down(void **state)
{
	(void)state;
	loop_free(loop);
	clock_fake(0, 0);
	return 0;
}

static void
step(void *arg)
{
	struct work *work = arg;

	clock_fake_move(clock_us() + work->cost_us);
	if (told < WORKS_MOST)
		story[told++] = work->name;
	story[told] = '\0';
	if (told == wanted)
		loop_stop(loop);
	if (--work->steps_left > 0)
		loop_heavy(loop, &work->heavy);
}

static struct work *
add(unsigned index, unsigned group, const char *client, unsigned steps, char name)
{
	struct work *work = &works[index];
	struct address address;
	struct heavy_party party;

	assert_true(address_parse(&address, client));
	party = heavy_party_of(group, &address);
	*work = (struct work){ .steps_left = steps, .cost_us = STEP_US, .name = name };
	heavy_init(&work->heavy, &party, step, work);
	loop_heavy(loop, &work->heavy);
	return work;
}

/* ---- bytes of a flow meanwhile ---- */

static int fds[2];
static uint64_t last_us, waited_most_us;
static unsigned reads;

/* The bytes stay, so that the descriptor is ready in each turn. */
static void
on_bytes(void *arg, unsigned ready)
{
	uint64_t now = clock_us();

	(void)arg;
	(void)ready;
	if (now - last_us > waited_most_us)
		waited_most_us = now - last_us;
	last_us = now;
	reads++;
}

static void
turn_until_done(size_t steps)
{
	wanted = steps;
	loop_run(loop);
	assert_int_equal(told, steps);
}

static void
assert_flow_waits(unsigned count, unsigned cost_us, uint64_t most_us)
{
	struct watch watch;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	last_us = clock_us();
	waited_most_us = reads = 0;
	watch_init(&watch, loop, fds[0], on_bytes, NULL);
	watch_want(&watch, WATCH_READ);
	for (unsigned i = 0; i < count; i++)
		add(i, 0, "192.0.2.1:1", 1, 'a')->cost_us = cost_us;
	told = 0;
	turn_until_done(count);
	watch_wipe(&watch);
	close(fds[0]);
	close(fds[1]);
	assert_true(waited_most_us <= most_us);
	assert_true(reads >= count * cost_us / most_us);
}

static void
a_flow_waits_for_a_turns_worth_at_most(void **state)
{
	(void)state;
	assert_flow_waits(500, 1, HEAVY_TURN_US);
	assert_flow_waits(500, 300, HEAVY_TURN_US + 300);
	assert_flow_waits(500, 700, HEAVY_TURN_US + 700);
}

static void
or_one_step_that_takes_longer(void **state)
{
	(void)state;
	assert_flow_waits(20, 5000, 5000);
}

/* ---- whose turn it is ---- */

static void
one_client_with_many_does_not_delay_another(void **state)
{
	char client[ADDRESS_TEXT];
	unsigned early = 0;

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		add(i, 0, "192.0.2.1:1", 1, 'f');
	/* Of 64 queues some may be shared, by chance; not most of them. */
	for (unsigned i = 0; i < 10; i++) {
		snprintf(client, sizeof client, "198.51.100.%u:1", i);
		add(100 + i, 0, client, 1, 'x');
	}
	turn_until_done(110);
	for (unsigned i = 0; i < 24; i++)
		early += story[i] == 'x';
	assert_true(early >= 5);
}

static void
those_of_one_client_go_in_their_order(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 5; i++)
		add(i, 0, "[2001:db8::1]:1", 1, (char)('a' + i));
	turn_until_done(5);
	assert_string_equal(story, "abcde");
}

/* A hostile relay invents clients. */
static void
a_group_with_many_clients_does_not_delay_another(void **state)
{
	char client[ADDRESS_TEXT];

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		snprintf(client, sizeof client, "10.0.0.%u:1", i);
		add(i, 1, client, 1, 'f');
	}
	for (unsigned i = 0; i < 5; i++)
		add(200 + i, 2, "198.51.100.1:1", 1, 'x');
	turn_until_done(205);
	story[10] = '\0';
	assert_string_equal(story, "fxfxfxfxfx");
}

static void
as_many_groups_as_there_are_queues_share_none(void **state)
{
	(void)state;
	for (unsigned i = 0; i < HEAVY_GROUPS; i++) {
		add(2 * i, i + 1, "198.51.100.1:1", 1, 'f');
		add(2 * i + 1, i + 1, "198.51.100.1:1", 1, 's');
	}
	turn_until_done(2 * HEAVY_GROUPS);
	assert_string_equal(story, "ffffffffffffffffssssssssssssssss");
}

static void
what_is_taken_back_does_not_run(void **state)
{
	struct work *work = add(0, 0, "192.0.2.1:1", 1, 'a');

	(void)state;
	add(1, 0, "192.0.2.1:1", 1, 'b');
	loop_heavy(loop, &work->heavy); /* a second time */
	loop_forget_heavy(loop, &work->heavy);
	loop_forget_heavy(loop, &work->heavy);
	turn_until_done(1);
	assert_string_equal(story, "b");
}

static void
what_has_several_steps_waits_for_the_others_between_them(void **state)
{
	(void)state;
	add(0, 0, "192.0.2.1:1", 3, 'a');
	add(1, 0, "192.0.2.1:1", 1, 'b');
	turn_until_done(4);
	assert_string_equal(story, "abaa");
}

#define HEAVY_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	HEAVY_TEST(a_flow_waits_for_a_turns_worth_at_most),
	HEAVY_TEST(or_one_step_that_takes_longer),
	HEAVY_TEST(one_client_with_many_does_not_delay_another),
	HEAVY_TEST(those_of_one_client_go_in_their_order),
	HEAVY_TEST(a_group_with_many_clients_does_not_delay_another),
	HEAVY_TEST(as_many_groups_as_there_are_queues_share_none),
	HEAVY_TEST(what_is_taken_back_does_not_run),
	HEAVY_TEST(what_has_several_steps_waits_for_the_others_between_them),
};

RUN_TESTS("heavy", tests)
