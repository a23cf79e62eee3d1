/* Peers that take nothing: the list of them, what they hold, and how long they may. The sockets are
 * real, the time is not. */
#include "tunnel/pump.h"

#include <poll.h>

#include "base/clock_fake.h"
#include "base/loop_advance.h"
#include "base/socket.h"
#include "tunnel/peer.h"

enum { MANY = 1200, HOUR_MS = 3600 * 1000, TAKEN = 256 * 1024 };

/* ---- the list alone ---- */

static struct stall stall[MANY];
static struct stalls stalls;
static int looked[MANY], looks;
static uint64_t waited[MANY];

static void
note(struct stall *at, uint64_t waited_ms)
{
	waited[looks] = waited_ms;
	looked[looks++] = (int)(at - stall);
	if (at == &stall[7])
		stall_leave(&stalls, at);
	if (at == &stall[8])
		stall_move(&stalls, at);
}

static void
those_that_stand_still_are_looked_at_longest_first(void **state)
{
	(void)state;
	clock_fake(1000000, 1000000);
	struct loop *loop = loop_new();
	stalls_init(&stalls, loop, note);
	looks = 0;
	for (int i = 0; i < 10; i++) {
		stall_enter(&stalls, &stall[i]);
		assert_true(loop_advance(loop, 10));
	}
	stall_move(&stalls, &stall[0]);
	stall_leave(&stalls, &stall[1]);
	stall_leave(&stalls, &stall[1]);
	assert_true(loop_advance(loop, 1800));
	assert_int_equal(looks, 0);
	assert_true(loop_advance(loop, 1100));
	assert_int_equal(looks, 9);
	for (int i = 0; i < 8; i++)
		assert_int_equal(looked[i], i + 2);
	assert_int_equal(looked[8], 0);
	assert_int_equal(waited[0], 2980);
	assert_true(loop_advance(loop, 1000)); /* 7 has left, 8 has moved */
	assert_int_equal(looks, 9 + 7);
	for (int i = 0; i < 10; i++)
		stall_leave(&stalls, &stall[i]);
	assert_true(loop_advance(loop, 10000));
	assert_int_equal(looks, 9 + 7);
	assert_false(stalls.timer.armed);
	loop_free(loop);
	clock_fake(0, 0);
}

static void
many_are_looked_at_in_several_turns(void **state)
{
	(void)state;
	clock_fake(1000000, 1000000);
	struct loop *loop = loop_new();
	stalls_init(&stalls, loop, note);
	looks = 0;
	for (int i = 0; i < MANY; i++)
		stall_enter(&stalls, &stall[i]);
	assert_true(loop_advance(loop, 2000));
	assert_int_equal(looks, STALLS_AT_ONCE);
	stall_leave(&stalls, &stall[STALLS_AT_ONCE]); /* the next one */
	assert_true(loop_advance(loop, 100));
	assert_int_equal(looks, MANY - 1);
	assert_int_equal(looked[STALLS_AT_ONCE], STALLS_AT_ONCE + 1);
	for (int i = 0; i < MANY; i++)
		stall_leave(&stalls, &stall[i]);
	stalls_wipe(&stalls);
	loop_free(loop);
	clock_fake(0, 0);
}

/* ---- a pump ---- */

static struct loop *loop;
static struct pump *pump;
static int far[2];
static enum pump_end ended;
static uint64_t held;
static unsigned told;

static void
on_held(void *arg, uint64_t own_bytes, uint64_t kernel_bytes)
{
	assert_ptr_equal(arg, &pump);
	assert_true((own_bytes > 0) == (kernel_bytes > 0));
	held = kernel_bytes;
	told++;
}

static void
on_over(void *arg, enum pump_end end)
{
	(void)arg;
	ended = end;
	pump_free(pump);
	loop_stop(loop);
}

/* Nobody reads at the far end of a; what the other one sends fills all that is between. */
static void
begin(uint64_t stall_ms)
{
	struct pump_settings settings = { .stall_ms = stall_ms, .stalls = &stalls };
	int a[2], b[2];
	clock_fake(1000000, 1000000);
	loop = loop_new();
	pump_stalls_init(&stalls, loop, on_held);
	tcp_pair(a);
	tcp_pair(b);
	far[0] = a[0];
	far[1] = b[0];
	socket_prepare(a[1]);
	socket_prepare(b[1]);
	ended = PUMP_ENDS;
	held = told = 0;
	pump = pump_new(loop, stream_socket(a[1]), stream_socket(b[1]), &settings, on_over, &pump);
	assert_non_null(pump);
}

/* Until nothing more is taken. */
static void
pour(int from)
{
	static const char block[65536];
	for (int full = 0; full < 20;) {
		ssize_t sent = send(from, block, sizeof block, MSG_DONTWAIT | MSG_NOSIGNAL);
		full = sent > 0 ? 0 : full + 1;
		assert_true(loop_advance(loop, 0));
		if (sent < 0)
			let_the_kernel_work();
	}
}

/* Bytes that are there already, or on their way. */
static void
take(int from, size_t bytes)
{
	static char waste[65536];
	while (bytes > 0) {
		struct pollfd p = { .fd = from, .events = POLLIN };
		size_t most = bytes < sizeof waste ? bytes : sizeof waste;
		ssize_t got = poll(&p, 1, 20) > 0 ? recv(from, waste, most, MSG_DONTWAIT) : 0;
		bytes -= got > 0 ? (size_t)got : 0;
		assert_true(loop_advance(loop, 0));
	}
}

static void
finish(void)
{
	if (ended == PUMP_ENDS) {
		pump_free(pump);
		assert_true(loop_advance(loop, 0));
	}
	stalls_wipe(&stalls);
	loop_free(loop);
	clock_fake(0, 0);
	close(far[0]);
	close(far[1]);
}

static void
see_reset(int who)
{
	char byte[4096];
	ssize_t got;
	do
		got = recv(who, byte, sizeof byte, MSG_DONTWAIT);
	while (got > 0);
	assert_int_equal(got, -1);
	assert_int_equal(errno, ECONNRESET);
}

static void
a_peer_may_take_nothing_for_as_long_as_it_likes(void **state)
{
	(void)state;
	begin(0);
	pour(far[1]);
	assert_true(loop_advance(loop, HOUR_MS));
	assert_int_equal(ended, PUMP_ENDS);
	assert_true(pump_stalled_ms(pump) > 0); /* the kernel may have taken a little */
	take(far[0], TAKEN);
	finish();
}

static void
it_is_ended_where_that_is_not_allowed(void **state)
{
	(void)state;
	for (int who = 0; who < 2; who++) {
		begin(30000);
		pour(far[!who]);
		assert_true(loop_advance(loop, 29000));
		assert_int_equal(ended, PUMP_ENDS);
		/* What is still on its way to the kernel's other end is a move. */
		for (int s = 29; loop_advance(loop, 1000); s++)
			assert_true(s < 100);
		assert_int_equal(ended, PUMP_STALLED);
		assert_string_equal(pump_end_word(ended), "stalled");
		see_reset(far[0]);
		see_reset(far[1]);
		assert_int_equal(held, 0);
		finish();
	}
}

/* It takes until the pump hears of the room; how much that is depends on how far the kernel lets both
 * buffers grow. */
static void
a_slow_reader_is_not_ended(void **state)
{
	(void)state;
	begin(30000);
	for (int i = 0; i < 20; i++) {
		pour(far[1]);
		assert_true(loop_advance(loop, 25000));
		do
			take(far[0], 4096);
		while (ended == PUMP_ENDS && pump_stalled_ms(pump) > 0);
	}
	assert_int_equal(ended, PUMP_ENDS);
	finish();
}

static void
a_flow_without_anything_queued_is_left_alone(void **state)
{
	char byte;
	(void)state;
	begin(30000);
	assert_int_equal(send(far[1], "x", 1, 0), 1);
	while (recv(far[0], &byte, 1, MSG_DONTWAIT) != 1)
		assert_true(loop_advance(loop, 0));
	assert_true(loop_advance(loop, HOUR_MS));
	assert_int_equal(ended, PUMP_ENDS);
	assert_int_equal(told, 0);
	assert_int_equal(pump_stalled_ms(pump), 0);
	finish();
}

static void
what_it_holds_is_told_until_it_has_taken_all(void **state)
{
	(void)state;
	begin(0);
	pour(far[1]);
	assert_true(loop_advance(loop, 1000));
	assert_int_equal(told, 0);
	assert_true(loop_advance(loop, 2000));
	assert_true(told > 0);
	assert_in_range(held, 64 * 1024, 8 << 20);
	assert_in_range(socket_queued(far[1]), 1, 8 << 20);
	while (held > 0)
		take(far[0], 4096);
	assert_int_equal(held, 0);
	assert_int_equal(pump_stalled_ms(pump), 0);
	finish();
}

/* The one side goes on taking, and the other is ended all the same. */
static void
each_direction_stands_still_for_itself(void **state)
{
	int rounds = 0;
	(void)state;
	begin(30000);
	pour(far[0]);
	pour(far[1]);
	while (loop_advance(loop, 14000)) {
		assert_true(rounds++ < 10);
		take(far[0], TAKEN);
		pour(far[1]);
	}
	assert_true(rounds >= 2);
	assert_int_equal(ended, PUMP_STALLED);
	assert_int_equal(held, 0);
	finish();
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(those_that_stand_still_are_looked_at_longest_first),
	cmocka_unit_test(many_are_looked_at_in_several_turns),
	cmocka_unit_test(a_peer_may_take_nothing_for_as_long_as_it_likes),
	cmocka_unit_test(it_is_ended_where_that_is_not_allowed),
	cmocka_unit_test(a_slow_reader_is_not_ended),
	cmocka_unit_test(a_flow_without_anything_queued_is_left_alone),
	cmocka_unit_test(what_it_holds_is_told_until_it_has_taken_all),
	cmocka_unit_test(each_direction_stands_still_for_itself),
};

int
main(void)
{
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("pump_stall", tests, NULL, NULL);
}
