/* Each allocation that a pump makes for bytes that its reader does not take fails once, also for those that
 * stood in a pipe: the flow goes on, or it is reset. What is truncated never looks whole. */
#include "tunnel/pump.h"

#include "allocation.h"
#include "tunnel/bulk.h"

enum { BULK = 2 << 20, MOST = 1000 };

static bool
is_told(const struct flow *flow)
{
	return flow->saw_end[1] || flow->saw_reset[1];
}

/* The reader stops, for longer than anybody has a pipe, and takes the rest; then both end. Whether an
 * allocation has failed. */
static bool
stop_and_go_on(struct flow *flow, unsigned fails_at)
{
	start(flow);
	move_bytes(flow, 0, BULK);
	allocation_fail(fails_at);
	pour(flow, 0);
	assert_true(loop_advance(loop, 3 * PIPES_HOLD_MS));
	for (int i = 0; i < 2; i++)
		shutdown(flow->far[i], SHUT_WR);
	while (flow->pump || !is_told(flow)) {
		if (take_some(flow, 1, SIZE_MAX) == 0)
			let_the_kernel_work();
		assert_true(loop_advance(loop, 1));
	}
	bool has_failed = allocation_failed();
	allocation_fail(0);
	return has_failed;
}

static void
sweep(uint64_t retry_ms)
{
	unsigned flows = 0, resets = 0;
	bool has_failed = true;
	hold_time();
	stalls.pipes.retry_ms = retry_ms;
	while (has_failed && flows < MOST) {
		struct flow flow;
		has_failed = stop_and_go_on(&flow, ++flows);
		resets += flow.saw_reset[1];
		assert_true(has_failed || !flow.saw_reset[1]);
		assert_true(flow.saw_reset[1] || flow.got[1] == flow.sent[0]);
		assert_true((flow.end == PUMP_FINISHED) == !flow.saw_reset[1]);
		assert_int_equal(lent_now(), 0);
		close(flow.far[0]);
		close(flow.far[1]);
	}
	assert_true(resets > 0);
	assert_true(resets < flows);
	assert_true((stalls.pipes.lent_count > 0) == !retry_ms);
	let_time_go();
	print_message("# %u flows, %u of them reset\n", flows, resets);
}

static void
what_was_read_for_a_slow_reader_is_kept_or_the_flow_is_reset(void **state)
{
	(void)state;
	sweep(UINT64_MAX);
}

static void
so_is_what_stands_in_a_pipe(void **state)
{
	(void)state;
	sweep(0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_read_for_a_slow_reader_is_kept_or_the_flow_is_reset),
		cmocka_unit_test(so_is_what_stands_in_a_pipe),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("pump_allocation", tests, NULL, NULL);
}
