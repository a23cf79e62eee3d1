/* Which flows splice, what that does to their bytes, and who has the pipes when readers stop. The
 * sockets are real, the time is not. */
#include "tunnel/pump.h"

#include <signal.h>

#include "base/clock_fake.h"
#include "base/loop_advance.h"
#include "base/socket.h"
#include "tunnel/peer.h"
#include "tunnel/pump_private.h"

enum { LARGE = 8 << 20, SMALL = 4096, SLOW = 100 };

static struct loop *loop;
static struct stalls stalls;

struct flow {
	struct pump *pump;
	int far[2];
	size_t sent[2], got[2]; /* by that end */
	enum pump_end end;
};

static void
on_over(void *arg, enum pump_end end)
{
	struct flow *flow = arg;
	flow->end = end;
	pump_free(flow->pump);
	flow->pump = NULL;
}

static void
turn(void)
{
	assert_true(loop_advance(loop, 0));
}

static void
start_over(struct flow *flow, void (*second)(int fds[2]))
{
	struct pump_settings settings = { .stalls = &stalls };
	int pairs[2][2];
	*flow = (struct flow){ .end = PUMP_ENDS };
	for (int i = 0; i < 2; i++) {
		(i ? second : tcp_pair)(pairs[i]);
		flow->far[i] = pairs[i][0];
		socket_prepare(pairs[i][1]);
	}
	flow->pump = pump_new(loop, stream_socket(pairs[0][1]), stream_socket(pairs[1][1]),
	    &settings, on_over, flow);
	assert_non_null(flow->pump);
}

static void
start(struct flow *flow)
{
	start_over(flow, tcp_pair);
}

static uint8_t
byte_at(size_t at)
{
	return (uint8_t)(at * 2654435761u >> 13);
}

/* False when nothing more is taken. */
static bool
send_some(struct flow *flow, int from, size_t most)
{
	static uint8_t data[256 * 1024];
	size_t bytes = most < sizeof data ? most : sizeof data;
	for (size_t i = 0; i < bytes; i++)
		data[i] = byte_at(flow->sent[from] + i);
	ssize_t sent = send(flow->far[from], data, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
	flow->sent[from] += sent > 0 ? (size_t)sent : 0;
	return sent > 0;
}

/* 0: there is nothing now, or the end. */
static size_t
take_some(struct flow *flow, int at, size_t most)
{
	static uint8_t data[256 * 1024];
	ssize_t got =
	    recv(flow->far[at], data, most < sizeof data ? most : sizeof data, MSG_DONTWAIT);
	for (ssize_t i = 0; i < got; i++)
		assert_int_equal(data[i], byte_at(flow->got[at]++));
	return got > 0 ? (size_t)got : 0;
}

static void
move_bytes(struct flow *flow, int from, size_t bytes)
{
	size_t until = flow->sent[from] + bytes;
	while (flow->got[!from] < until) {
		if (flow->sent[from] < until)
			send_some(flow, from, until - flow->sent[from]);
		turn();
		if (take_some(flow, !from, SIZE_MAX) == 0)
			let_the_kernel_work();
	}
}

/* Until nobody takes anything more. */
static void
pour(struct flow *flow, int from)
{
	for (int full = 0; full < 20;) {
		bool is_taken = send_some(flow, from, SIZE_MAX);
		full = is_taken ? 0 : full + 1;
		turn();
		if (!is_taken)
			let_the_kernel_work();
	}
}

static void
take_all(struct flow *flow, int at)
{
	while (flow->got[at] < flow->sent[!at]) {
		turn();
		if (take_some(flow, at, SIZE_MAX) == 0)
			let_the_kernel_work();
	}
}

static unsigned
lent_now(void)
{
	const struct pipe *pipe;
	unsigned count = 0;
	TAILQ_FOREACH(pipe, &stalls.pipes.lent, link)
		count++;
	return count;
}

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

static int
begin(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	clock_fake(1000000, 1000000);
	loop = loop_new();
	pump_stalls_init(&stalls, loop, NULL);
	return loop ? 0 : -1;
}

static int
end(void **state)
{
	(void)state;
	assert_int_equal(lent_now(), 0);
	stalls_wipe(&stalls);
	loop_free(loop);
	clock_fake(0, 0);
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
	move_bytes(&flow, 0, LARGE);
	pour(&flow, 0);
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

static void
the_last_words_stand_in_a_pipe_and_the_end_comes_behind_them(void **state)
{
	struct flow flow;
	(void)state;
	start(&flow);
	move_bytes(&flow, 0, LARGE);
	pour(&flow, 0);
	assert_int_equal(lent_now(), 1);
	shutdown(flow.far[0], SHUT_WR);
	turn();
	take_all(&flow, 1);
	finish(&flow);
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
		assert_in_range(lent_now(), 0, PIPES_MOST);
	}
	assert_int_equal(lent_now(), PIPES_MOST);
	uint64_t before = stalls.pipes.lent_count;
	assert_true(loop_advance(loop, PIPES_CLAIM_MS));
	move_bytes(&fast, 0, LARGE / 8);
	assert_true(stalls.pipes.lent_count > before);
	assert_true(loop_advance(loop, PIPES_HOLD_MS));
	assert_int_equal(lent_now(), 0);
	/* They read on, a little at a time: that does not get them a pipe again. */
	before = stalls.pipes.lent_count;
	for (int i = 0; i < SLOW; i++)
		for (int round = 0; round < 8; round++) {
			take_some(&slow[i], 1, SMALL);
			pour(&slow[i], 0);
		}
	assert_int_equal(stalls.pipes.lent_count, before);
	for (int i = 0; i < SLOW; i++) {
		take_all(&slow[i], 1);
		finish(&slow[i]);
	}
	finish(&fast);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    bulk_goes_through_pipes_and_comes_out_unchanged, begin, end),
		cmocka_unit_test_setup_teardown(questions_and_answers_are_copied, begin, end),
		cmocka_unit_test_setup_teardown(what_goes_into_a_unix_socket_is_copied, begin, end),
		cmocka_unit_test_setup_teardown(without_a_pipe_bulk_is_copied, begin, end),
		cmocka_unit_test_setup_teardown(
		    a_reader_who_stops_has_a_pipe_for_a_second_and_loses_nothing, begin, end),
		cmocka_unit_test_setup_teardown(
		    the_last_words_stand_in_a_pipe_and_the_end_comes_behind_them, begin, end),
		cmocka_unit_test_setup_teardown(
		    slow_readers_leave_the_pipes_to_the_others, begin, end),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("pump_splice", tests, NULL, NULL);
}
