/* Tests of tunnel/link: frames, queues, closing, and moving between loops. */
#include "tunnel/link.h"

#include <sys/syscall.h>

#include "base/clock.h"
#include "tunnel/looped.h"

static struct diary a, b;
static unsigned reads, reads_in_vain;

ssize_t
recv(int fd, void *data, size_t bytes, int flags)
{
	ssize_t got = syscall(SYS_recvfrom, fd, data, bytes, flags, NULL, NULL);
	reads++;
	reads_in_vain += got < 0;
	return got;
}

static bool
both_are_open(void *arg)
{
	(void)arg;
	return strstr(a.events, "open") && strstr(b.events, "open");
}

static void
start_both(int fds[2])
{
	pair(fds);
	diary_start(&a, TLS_SESSION_AGENT, fds[0]);
	diary_start(&b, TLS_SESSION_RELAY, fds[1]);
	assert_true(happens(both_are_open, NULL));
}

static void
free_both(void)
{
	link_free(a.link);
	link_free(b.link);
	turn_for(5);
}

static bool
b_has_all(void *arg)
{
	return strstr(b.events, arg) != NULL;
}

static void
frames_arrive_in_order_however_they_are_cut(void **state)
{
	int fds[2];
	uint8_t frame[FRAME_BYTES];
	(void)state;
	start_both(fds);
	/* Many in one record, the largest in two records. */
	for (int i = 0; i < 3; i++) {
		frame[0] = FRAME_MOST >> 8;
		frame[1] = 0;
		frame[2] = (uint8_t)(200 + i);
		memset(frame + 3, i, FRAME_MOST - 1);
		assert_true(link_send(a.link, frame, sizeof frame));
		assert_true(link_send(a.link, "\x00\x02\x81x", 4));
	}
	assert_true(link_send(a.link, "\x00\x01\x82", 3));
	assert_true(happens(b_has_all, "open 200 129 201 129 202 129 130 "));
	assert_true(link_is_flushed(a.link));
	free_both();
}

/* Neither who has sent something nor who has read it looks for more before the kernel says that there is. */
static void
nothing_is_read_that_has_not_come(void **state)
{
	int fds[2];
	(void)state;
	start_both(fds);
	turn_for(5);
	for (int i = 0; i < 3; i++) {
		reads = reads_in_vain = 0;
		assert_true(link_send(i % 2 ? b.link : a.link, "\x00\x01\x82", 3));
		assert_true(happens(b_has_all, i < 2 ? "open 130 " : "open 130 130 "));
		turn_for(5);
		assert_int_equal(reads, 1);
		assert_int_equal(reads_in_vain, 0);
	}
	assert_string_equal(a.events, "open 130 ");
	link_pause(b.link);
	assert_true(link_send(a.link, "\x00\x01\x83", 3));
	turn_for(5);
	link_resume(b.link);
	assert_true(happens(b_has_all, "open 130 130 131 "));
	free_both();
}

static void
frames_queued_during_the_handshake_go_out_after_it(void **state)
{
	int fds[2];
	(void)state;
	pair(fds);
	diary_start(&a, TLS_SESSION_AGENT, fds[0]);
	assert_true(link_send(a.link, "\x00\x01\x82", 3));
	diary_start(&b, TLS_SESSION_RELAY, fds[1]);
	assert_true(happens(b_has_all, "open 130 "));
	free_both();
}

static void
a_handshake_that_takes_too_long_is_over(void **state)
{
	int fds[2];
	struct diary slow = { 0 };
	(void)state;
	pair(fds);
	slow.link = link_new(loop, end_of(TLS_SESSION_RELAY, fds[1]), 60, on_diary, &slow);
	assert_true(comes_true(diary_is_over, &slow, 1000));
	assert_string_equal(link_error(slow.link), "the handshake took too long");
	link_free(slow.link);
	turn_for(5);
	close(fds[0]);
}

/* ---- others, while hands are shaken ---- */

enum { HANDSHAKES = 12, JUDGE_US = 1500 };

static struct diary clients[HANDSHAKES], servers[HANDSHAKES];
static int flow[2];
static uint64_t last_us, longest_us;

static unsigned
judge_slowly(void *arg, const struct tls_certificate *chain, size_t count)
{
	(void)arg;
	(void)chain;
	(void)count;
	clock_fake_move(clock_us() + JUDGE_US);
	return 0;
}

static bool
all_are_open(void *arg)
{
	(void)arg;
	for (int i = 0; i < HANDSHAKES; i++) {
		if (!servers[i].events[0] || !clients[i].events[0])
			return false;
	}
	return true;
}

/* Each byte that comes is followed by another one. */
static void
on_flow(void *arg, unsigned ready)
{
	uint64_t now = clock_us();
	char byte;
	(void)arg;
	(void)ready;
	assert_int_equal(read(flow[0], &byte, 1), 1);
	if (now - last_us > longest_us)
		longest_us = now - last_us;
	last_us = now;
	if (!all_are_open(NULL))
		assert_int_equal(write(flow[1], "x", 1), 1);
}

static void
start_slow_handshake(int i)
{
	static const struct tls_hooks hooks = { .judge = judge_slowly };
	struct tls_config *config = config_for(TLS_SESSION_RELAY);
	struct tls *tls;
	int fds[2];
	pair(fds);
	diary_start(&clients[i], TLS_SESSION_AGENT, fds[0]);
	servers[i] = (struct diary){ 0 };
	tls = tls_server(config, stream_socket(fds[1]), &hooks);
	tls_config_release(config);
	servers[i].link = link_new(loop, tls, 2000, on_diary, &servers[i]);
	assert_non_null(servers[i].link);
}

static void
a_flow_waits_for_two_milliseconds_of_handshakes(void **state)
{
	struct watch watch;
	(void)state;
	pair(flow);
	for (int i = 0; i < HANDSHAKES; i++)
		start_slow_handshake(i);
	watch_init(&watch, loop, flow[0], on_flow, NULL);
	watch_want(&watch, WATCH_READ);
	last_us = clock_us();
	longest_us = 0;
	assert_int_equal(write(flow[1], "x", 1), 1);
	assert_true(happens(all_are_open, NULL));
	for (int i = 0; i < HANDSHAKES; i++) {
		assert_string_equal(servers[i].events, "open ");
		link_free(clients[i].link);
		link_free(servers[i].link);
	}
	assert_true(longest_us >= JUDGE_US && longest_us <= 2000 + JUDGE_US);
	watch_wipe(&watch);
	close(flow[0]);
	close(flow[1]);
	turn_for(5);
}

static void
a_close_sends_what_is_queued_and_both_hear_of_it(void **state)
{
	int fds[2];
	(void)state;
	start_both(fds);
	assert_true(link_send(a.link, "\x00\x01\x82", 3));
	link_close(a.link);
	assert_false(link_send(a.link, "\x00\x01\x82", 3));
	assert_true(happens(diary_is_over, &b));
	assert_string_equal(b.events, "open 130 over ");
	assert_string_equal(link_error(b.link), "the peer closed the connection");
	link_free(b.link);
	assert_true(happens(diary_is_over, &a));
	assert_string_equal(a.events, "open over ");
	link_free(a.link);
	turn_for(5);
}

static void
a_peer_that_does_not_close_is_not_waited_for(void **state)
{
	int fds[2];
	(void)state;
	start_both(fds);
	link_close(a.link);
	int kept = dup(fds[1]);	/* so that no FIN comes */
	link_free(b.link);
	assert_true(comes_true(diary_is_over, &a, 4000));
	close(kept);
	link_free(a.link);
	turn_for(5);
}

static void
a_peer_that_does_not_read_fills_the_queue_and_no_more(void **state)
{
	int fds[2];
	uint8_t frame[1002] = { 0x03, 0xe8, 200 };
	size_t sent = 0;
	(void)state;
	pair(fds);
	diary_start(&a, TLS_SESSION_AGENT, fds[0]);
	while (link_send(a.link, frame, sizeof frame))
		sent += sizeof frame;
	assert_in_range(sent, 60000, 65536);
	link_free(a.link);
	turn_for(5);
	close(fds[1]);
}

static void
a_length_out_of_range_is_answered_with_an_alert(void **state)
{
	int fds[2];
	(void)state;
	start_both(fds);
	assert_true(link_send(a.link, "\xff\xff\x82", 3));
	assert_true(happens(diary_is_over, &a));
	assert_int_equal(tls_alert_received(link_tls(a.link)), 50);
	link_free(a.link);
	assert_true(happens(diary_is_over, &b));
	assert_string_equal(link_error(b.link), "a frame's length is out of range");
	link_free(b.link);
	turn_for(5);
}

/* The agent writes its first frame before the relay has judged it; the verdict must not drown in
 * the RST that unread bytes would cause. */
static void
the_verdict_is_read_though_frames_were_on_their_way(void **state)
{
	static unsigned revoked[3] = { 44 };
	const struct tls_hooks hooks = { .judge = judge_by, .arg = revoked };
	int fds[2];
	(void)state;
	for (int i = 0; i < 20; i++) {
		tcp_pair(fds);
		struct tls_config *config = config_for(TLS_SESSION_RELAY);
		b = (struct diary){ 0 };
		b.link = link_new(loop, tls_server(config, stream_socket(fds[1]), &hooks), 2000,
		    on_diary, &b);
		tls_config_release(config);
		diary_start(&a, TLS_SESSION_AGENT, fds[0]);
		for (int k = 0; k < 50; k++)
			assert_true(link_send(a.link, "\x00\x01\x82", 3));
		assert_true(happens(diary_is_over, &a));
		assert_int_equal(tls_alert_received(link_tls(a.link)), 44);
		link_free(a.link);
		assert_true(happens(diary_is_over, &b));
		link_free(b.link);
		turn_for(2);
	}
}

/* ---- giving the stream away ---- */

static struct stream *released;

static void
on_release(void *arg, enum link_event event)
{
	struct diary *d = arg;
	if (event != LINK_FRAME) {
		on_diary(arg, event);
		return;
	}
	released = link_release(d->link);
	link_free(d->link);
}

static bool
is_released(void *arg)
{
	(void)arg;
	return released != NULL;
}

static void
what_came_behind_the_last_frame_is_for_the_next_reader(void **state)
{
	int fds[2];
	(void)state;
	released = NULL;
	pair(fds);
	b = (struct diary){ 0 };
	b.link = link_new(loop, end_of(TLS_SESSION_RELAY, fds[1]), 2000, on_release, &b);
	diary_start(&a, TLS_SESSION_AGENT, fds[0]);
	assert_true(link_send_raw(a.link, "\x00\x01\x82", 3, "and these are bytes of a flow", 29));
	assert_true(happens(is_released, NULL));
	hear(released, "and these are bytes of a flow");
	assert_int_equal(hear_nothing(released), IO_READ);
	assert_int_equal(stream_finish(released), IO_OK);
	assert_true(happens(diary_is_over, &a));
	stream_free(released);
	link_free(a.link);
	turn_for(5);
}

static void
expected_bytes_are_no_frames(void **state)
{
	static uint8_t raw[100000];
	int fds[2];
	(void)state;
	start_both(fds);
	for (size_t i = 0; i < sizeof raw; i++)
		raw[i] = (uint8_t)(i * 31 >> 3);
	assert_true(link_send_raw(a.link, "\x00\x01\x82", 3, raw, sizeof raw));
	assert_true(link_expect(b.link, 3 + sizeof raw - 10, 10000));
	assert_true(happens(b_has_all, "raw"));
	assert_memory_equal(link_raw(b.link) + 3, raw, sizeof raw - 10);
	struct stream *rest = link_release(b.link);
	uint8_t tail[16];
	size_t done;
	assert_int_equal(stream_read(rest, tail, sizeof tail, &done), IO_OK);
	assert_int_equal(done, 10);
	assert_memory_equal(tail, raw + sizeof raw - 10, 10);
	free_both();
	stream_free(rest);
}

static void
expected_bytes_that_do_not_come_end_the_link(void **state)
{
	int fds[2];
	(void)state;
	start_both(fds);
	assert_true(happens(b_has_all, "open "));
	assert_true(link_expect(b.link, 100, 50));
	assert_true(link_send_raw(a.link, "\x00\x01\x82", 3, "not all of it", 13));
	assert_true(comes_true(diary_is_over, &b, 1000));
	assert_string_equal(link_error(b.link), "the rest of a hello did not come in time");
	free_both();
}

/* ---- moving ---- */

static void
on_leave(void *arg, enum link_event event)
{
	struct diary *d = arg;
	on_diary(arg, event);
	if (event == LINK_FRAME)
		link_detach(d->link);
}

static bool
b_has_the_first(void *arg)
{
	(void)arg;
	return strstr(b.events, "130 ") != NULL;
}

static void
a_link_that_moves_inside_a_handler_loses_nothing(void **state)
{
	int fds[2];
	struct loop *other = loop_new(), *first = loop;
	(void)state;
	pair(fds);
	b = (struct diary){ 0 };
	b.link = link_new(loop, end_of(TLS_SESSION_RELAY, fds[1]), 2000, on_leave, &b);
	diary_start(&a, TLS_SESSION_AGENT, fds[0]);
	/* Three whole frames and the beginning of one. */
	assert_true(link_send(a.link, "\x00\x01\x82\x00\x01\x83\x00\x02\x84x\x00\x03\x85", 13));
	assert_true(happens(b_has_the_first, NULL));
	assert_string_equal(b.events, "open 130 ");
	loop = other;
	link_attach(b.link, other, on_diary, &b);
	assert_true(happens(b_has_all, "130 131 132 "));
	loop = first;
	assert_true(link_send(a.link, "yz", 2));
	turn_for(20);
	loop = other;
	assert_true(happens(b_has_all, "130 131 132 133 "));
	link_free(b.link);
	turn_for(5);
	loop = first;
	link_free(a.link);
	turn_for(5);
	loop_free(other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_arrive_in_order_however_they_are_cut),
		cmocka_unit_test(nothing_is_read_that_has_not_come),
		cmocka_unit_test(frames_queued_during_the_handshake_go_out_after_it),
		cmocka_unit_test(a_handshake_that_takes_too_long_is_over),
		cmocka_unit_test(a_flow_waits_for_two_milliseconds_of_handshakes),
		cmocka_unit_test(a_close_sends_what_is_queued_and_both_hear_of_it),
		cmocka_unit_test(a_peer_that_does_not_close_is_not_waited_for),
		cmocka_unit_test(a_peer_that_does_not_read_fills_the_queue_and_no_more),
		cmocka_unit_test(a_length_out_of_range_is_answered_with_an_alert),
		cmocka_unit_test(the_verdict_is_read_though_frames_were_on_their_way),
		cmocka_unit_test(what_came_behind_the_last_frame_is_for_the_next_reader),
		cmocka_unit_test(expected_bytes_are_no_frames),
		cmocka_unit_test(expected_bytes_that_do_not_come_end_the_link),
		cmocka_unit_test(a_link_that_moves_inside_a_handler_loses_nothing),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("link", tests, set_up, tear_down);
}
