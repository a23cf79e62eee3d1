/* Which flows splice, what that does to their bytes, and who has the pipes when readers stop. The
 * sockets are real, the time is not. */
#include "tunnel/pump.h"

#include "tunnel/bulk.h"
#include "tunnel/pump_private.h"

enum { LARGE = 8 << 20, SMALL = 4096, SLOW = 100, BUSY = 8 };

static void
finish(struct flow *flow)
{
	for (int i = 0; i < 2; i++)
		shutdown(flow->far[i], SHUT_WR);
	while (flow->pump) {
		turn();
		let_the_kernel_work();
	}
	assert_int_equal(flow->end, PUMP_FINISHED);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(flow->got[i], flow->sent[!i]);
		close(flow->far[i]);
	}
}

/* The kernel may hand out the last bytes in pieces that are too small for a pipe. */
static void
pour_into_a_pipe(struct flow *flow, int from)
{
	unsigned before = lent_now();
	do {
		take_all(flow, !from);
		move_bytes(flow, from, LARGE);
		pour(flow, from);
	} while (lent_now() == before);
}

/* The kernel counts pipes by user, and other programs of this user have some. */
static void
be_a_user_of_its_own(void)
{
	const uid_t nobody_else = 0x40000000u + (uid_t)getpid();
	if (getuid() == 0)
		assert_int_equal(setresuid(nobody_else, nobody_else, nobody_else), 0);
}

static int
begin(void **state)
{
	(void)state;
	hold_time();
	return 0;
}

static int
end(void **state)
{
	(void)state;
	assert_int_equal(lent_now(), 0);
	let_time_go();
	return 0;
}

static void
bulk_goes_through_pipes_and_comes_out_unchanged(void **state)
{
	struct flow flow;
	(void)state;
	start(&flow);
	for (int from = 0; from < 2; from++) {
		uint64_t before = stalls.pipes.lent_count;
		move_bytes(&flow, from, LARGE);
		assert_true(stalls.pipes.lent_count > before + 4);
		assert_int_equal(lent_now(), 0);
	}
	assert_int_equal(pump_bytes_from_a(flow.pump), LARGE);
	assert_int_equal(pump_bytes_from_b(flow.pump), LARGE);
	finish(&flow);
}

static void
questions_and_answers_are_copied(void **state)
{
	struct flow flow;
	(void)state;
	start(&flow);
	for (int i = 0; i < 100; i++) {
		move_bytes(&flow, 0, SMALL);
		move_bytes(&flow, 1, SMALL);
	}
	assert_int_equal(stalls.pipes.lent_count, 0);
	finish(&flow);
}

static void
without_a_pipe_bulk_is_copied(void **state)
{
	struct flow flow;
	(void)state;
	stalls.pipes.retry_ms = UINT64_MAX;
	start(&flow);
	move_bytes(&flow, 0, LARGE);
	assert_int_equal(stalls.pipes.lent_count, 0);
	finish(&flow);
}

/* A splice cannot pass them: it says that there is nothing, and behind them an end hides bytes. */
static void
urgent_bytes_stop_no_splice_for_good(void **state)
{
	struct flow flow;
	(void)state;
	start(&flow);
	for (int i = 0; i < 2; i++) {
		move_bytes(&flow, 0, LARGE);
		assert_int_equal(flow.pump->pace[0], PACE_FULL);
		assert_true(send_some(&flow, 0, SMALL));
		assert_int_equal(send(flow.far[0], "!", 1, MSG_OOB), 1);
		assert_true(send_some(&flow, 0, SMALL));
		if (i == 0)
			take_all(&flow, 1);
	}
	shutdown(flow.far[0], SHUT_WR);
	take_all(&flow, 1);
	finish(&flow);
}

/* Its reset might get lost on the way in. */
static void
what_goes_into_a_unix_socket_is_copied(void **state)
{
	struct flow flow;
	(void)state;
	start_over(&flow, pair);
	move_bytes(&flow, 0, LARGE);
	assert_int_equal(stalls.pipes.lent_count, 0);
	move_bytes(&flow, 1, LARGE);
	assert_true(stalls.pipes.lent_count > 4);
	finish(&flow);
}

/* What is in the pipe goes into our memory, so that the next one has it. */
static void
a_reader_who_stops_has_a_pipe_for_a_second_and_loses_nothing(void **state)
{
	struct flow flow;
	(void)state;
	start(&flow);
	pour_into_a_pipe(&flow, 0);
	assert_int_equal(lent_now(), 1);
	assert_true(loop_advance(loop, PIPES_HOLD_MS - 1));
	assert_int_equal(lent_now(), 1);
	assert_true(loop_advance(loop, 1));
	assert_int_equal(lent_now(), 0);
	assert_int_equal(flow.pump->pace[0], PACE_SLOW);
	take_all(&flow, 1);
	uint64_t before = stalls.pipes.lent_count;
	move_bytes(&flow, 0, LARGE);
	assert_true(stalls.pipes.lent_count > before);
	finish(&flow);
}

/* By how much the pace falls when a pipe is emptied by a reader who begins to take so late. */
static int
fall_of_one_who_is_late(struct flow *flow, uint64_t ms)
{
	struct half *half = &flow->pump->half[0];
	pour_into_a_pipe(flow, 0);
	struct pipe *pipe = pump_held(half)->pipe;
	int before = flow->pump->pace[0];
	assert_true(before > PACE_BULK);
	assert_true(loop_advance(loop, ms));
	while (pump_push(half, pipe) == IO_WRITE)
		if (take_some(flow, 1, SIZE_MAX) == 0)
			let_the_kernel_work();
	int fall = before - flow->pump->pace[0];
	take_all(flow, 1);
	return fall;
}

static void
a_reader_is_slow_when_he_is_late_by_more_than_others_cause(void **state)
{
	struct flow flow;
	(void)state;
	start(&flow);
	assert_int_equal(fall_of_one_who_is_late(&flow, 30), 0);
	assert_int_equal(fall_of_one_who_is_late(&flow, 60), 1);
	assert_int_equal(fall_of_one_who_is_late(&flow, 30), 0);
	finish(&flow);
}

static void
flows_that_are_busy_both_ways_are_spliced_both_ways(void **state)
{
	static struct flow flows[BUSY];
	(void)state;
	for (int i = 0; i < BUSY; i++) {
		start(&flows[i]);
		for (int from = 0; from < 2; from++)
			pour_into_a_pipe(&flows[i], from);
	}
	/* The kernel may take the last bytes out of one that was filled earlier. */
	while (lent_now() < 2 * BUSY)
		for (int i = 0; i < 2 * BUSY; i++)
			pour(&flows[i / 2], i % 2);
	for (int i = 0; i < BUSY; i++) {
		for (int at = 0; at < 2; at++)
			take_all(&flows[i], at);
		finish(&flows[i]);
	}
}

static void
the_last_words_stand_in_a_pipe_and_the_end_comes_behind_them(void **state)
{
	struct flow flow;
	(void)state;
	start(&flow);
	pour_into_a_pipe(&flow, 0);
	assert_int_equal(lent_now(), 1);
	shutdown(flow.far[0], SHUT_WR);
	turn();
	take_all(&flow, 1);
	finish(&flow);
}

/* All at once, since the kernel asks a reader who has stopped ever more rarely whether he goes on. */
static void
take_all_of_each(struct flow *flows, int count)
{
	for (bool is_left = true; is_left;) {
		is_left = false;
		turn();
		for (int i = 0; i < count; i++) {
			take_some(&flows[i], 1, SIZE_MAX);
			is_left |= flows[i].got[1] < flows[i].sent[0];
		}
		if (is_left)
			let_the_kernel_work();
	}
}

/* Each of them has been fast, and stops. */
static void
slow_readers_leave_the_pipes_to_the_others(void **state)
{
	static struct flow slow[SLOW];
	struct flow fast;
	(void)state;
	start(&fast);
	for (int i = 0; i < SLOW; i++) {
		start(&slow[i]);
		setsockopt(slow[i].far[1], SOL_SOCKET, SO_RCVBUF, &(int){ 65536 }, sizeof(int));
		move_bytes(&slow[i], 0, LARGE / 8);
		pour(&slow[i], 0);
		assert_in_range(lent_now(), 0, PIPES_OF_PROCESS);
	}
	while (lent_now() < PIPES_OF_PROCESS) /* likewise */
		for (int i = 0; i < SLOW; i++)
			pour(&slow[i], 0);
	uint64_t before = stalls.pipes.lent_count;
	assert_true(loop_advance(loop, PIPES_CLAIM_MS));
	move_bytes(&fast, 0, LARGE / 8);
	assert_true(stalls.pipes.lent_count > before);
	assert_true(loop_advance(loop, PIPES_HOLD_MS));
	assert_int_equal(lent_now(), 0);
	/* They read on, a little at a time: that does not get them a pipe again. */
	before = stalls.pipes.lent_count;
	for (int i = 0; i < SLOW; i++)
		for (int round = 0; round < 2; round++) {
			take_some(&slow[i], 1, SMALL);
			pour(&slow[i], 0);
		}
	assert_int_equal(stalls.pipes.lent_count, before);
	take_all_of_each(slow, SLOW);
	for (int i = 0; i < SLOW; i++)
		finish(&slow[i]);
	finish(&fast);
}

static bool
is_fast(const struct flow *flow)
{
	int bytes = 0;
	socklen_t size = sizeof bytes;
	int fd = flow->pump->half[1].from->fd;
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, &size), 0);
	return bytes > 128 * 1024;
}

static void
claim_nothing(void *borrower)
{
	(void)borrower;
}

/* Likewise, the last bytes may be too few for the full pace. */
static void
move_until_at_full_pace(struct flow *flow)
{
	do
		move_bytes(flow, 0, LARGE / 4);
	while (flow->pump->pace[0] != PACE_FULL);
}

static void
pour_at_full_pace(struct flow *flow)
{
	do {
		take_all(flow, 1);
		move_until_at_full_pace(flow);
		pour(flow, 0);
	} while (!is_fast(flow));
}

/* Each of them leaves 2 MiB with the kernel, which does not give them back. */
static void
the_kernel_goes_ahead_of_a_few_who_stop(void **state)
{
	enum { POOLS = PIPES_OF_PROCESS / 4, PART = 4 };
	static struct pipes others[POOLS - 1];
	static struct flow slow[PART];
	struct flow late;
	(void)state;
	for (int i = 0; i < POOLS - 1; i++)
		pipes_init(&others[i], loop, claim_nothing);
	assert_int_equal(pipes_part(), PART);
	for (int i = 0; i < PART; i++) {
		start(&slow[i]);
		pour_at_full_pace(&slow[i]);
	}
	assert_true(loop_advance(loop, PIPES_HOLD_MS)); /* they give up their pipes, and no places */
	assert_false(is_fast(&slow[0]));
	start(&late);
	move_until_at_full_pace(&late);
	assert_false(is_fast(&late));
	take_all_of_each(slow, PART);
	late.pump->pace[0] = PACE_BULK;
	move_until_at_full_pace(&late);
	assert_true(is_fast(&late));
	for (int i = 0; i < PART; i++)
		finish(&slow[i]);
	finish(&late);
	assert_int_equal(stalls.ahead.count, 0);
	for (int i = 0; i < POOLS - 1; i++)
		pipes_wipe(&others[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    bulk_goes_through_pipes_and_comes_out_unchanged, begin, end),
		cmocka_unit_test_setup_teardown(questions_and_answers_are_copied, begin, end),
		cmocka_unit_test_setup_teardown(urgent_bytes_stop_no_splice_for_good, begin, end),
		cmocka_unit_test_setup_teardown(what_goes_into_a_unix_socket_is_copied, begin, end),
		cmocka_unit_test_setup_teardown(without_a_pipe_bulk_is_copied, begin, end),
		cmocka_unit_test_setup_teardown(the_kernel_goes_ahead_of_a_few_who_stop, begin, end),
		cmocka_unit_test_setup_teardown(
		    a_reader_who_stops_has_a_pipe_for_a_second_and_loses_nothing, begin, end),
		cmocka_unit_test_setup_teardown(
		    a_reader_is_slow_when_he_is_late_by_more_than_others_cause, begin, end),
		cmocka_unit_test_setup_teardown(
		    flows_that_are_busy_both_ways_are_spliced_both_ways, begin, end),
		cmocka_unit_test_setup_teardown(
		    the_last_words_stand_in_a_pipe_and_the_end_comes_behind_them, begin, end),
		cmocka_unit_test_setup_teardown(
		    slow_readers_leave_the_pipes_to_the_others, begin, end),
	};
	be_a_user_of_its_own();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("pump_splice", tests, NULL, NULL);
}
