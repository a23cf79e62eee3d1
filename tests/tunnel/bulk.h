/*
 * A flow whose both ends are played by the test: a lot is sent, and as much of it
 * is taken as the test wants.  Time is held.
 */
#ifndef TESTS_TUNNEL_BULK_H
#define TESTS_TUNNEL_BULK_H

#include <signal.h>

#include "base/clock_fake.h"
#include "base/loop_advance.h"
#include "base/socket.h"
#include "tunnel/peer.h"
#include "tunnel/pump.h"

static struct loop *loop;
static struct stalls stalls;

static UNUSED void
hold_time(void)
{
	signal(SIGPIPE, SIG_IGN);
	clock_fake(1000000, 1000000);
	loop = loop_new();
	assert_non_null(loop);
	pump_stalls_init(&stalls, loop, NULL);
}

static UNUSED void
let_time_go(void)
{
	stalls_wipe(&stalls);
	loop_free(loop);
	clock_fake(0, 0);
}

struct flow {
	struct pump *pump;
	int far[2];
	size_t sent[2], got[2]; /* by that end */
	bool saw_end[2], saw_reset[2];
	enum pump_end end;
};

static UNUSED void
on_over(void *arg, enum pump_end end)
{
	struct flow *flow = arg;
	flow->end = end;
	pump_free(flow->pump);
	flow->pump = NULL;
}

static UNUSED void
turn(void)
{
	assert_true(loop_advance(loop, 0));
}

static UNUSED void
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

static UNUSED void
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
static UNUSED bool
send_some(struct flow *flow, int from, size_t most)
{
	static uint8_t data[256 * 1024];
	size_t bytes = most < sizeof data ? most : sizeof data;
	struct pollfd at = { .fd = flow->far[from], .events = POLLOUT };
	if (poll(&at, 1, 0) == 0)
		return false;
	for (size_t i = 0; i < bytes; i++)
		data[i] = byte_at(flow->sent[from] + i);
	ssize_t sent = send(flow->far[from], data, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
	flow->sent[from] += sent > 0 ? (size_t)sent : 0;
	return sent > 0;
}

/* 0: there is nothing now, or the end. */
static UNUSED size_t
take_some(struct flow *flow, int at, size_t most)
{
	static uint8_t data[256 * 1024];
	ssize_t got =
	    recv(flow->far[at], data, most < sizeof data ? most : sizeof data, MSG_DONTWAIT);
	bool is_right = true;
	for (ssize_t i = 0; i < got; i++)
		is_right &= data[i] == byte_at(flow->got[at]++);
	assert_true(is_right);
	flow->saw_reset[at] |= got < 0 && errno == ECONNRESET;
	flow->saw_end[at] |= got == 0;
	return got > 0 ? (size_t)got : 0;
}

static UNUSED void
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
static UNUSED void
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

static UNUSED void
take_all(struct flow *flow, int at)
{
	while (flow->got[at] < flow->sent[!at]) {
		turn();
		if (take_some(flow, at, SIZE_MAX) == 0)
			let_the_kernel_work();
	}
}

static UNUSED unsigned
lent_now(void)
{
	const struct pipe *pipe;
	unsigned count = 0;
	TAILQ_FOREACH(pipe, &stalls.pipes.lent, link)
		count++;
	return count;
}

#endif
