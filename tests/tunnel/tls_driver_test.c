/* The driver drives one end; the other is stepped by hand, or is silent. */
#include "tunnel/tls_driver.h"

#include "base/clock.h"
#include "base/heavy.h"
#include "tunnel/looped.h"

struct driver_owner {
	struct tls_driver driver;
	struct tls *tls;
	enum io end;
	unsigned calls;
};

static void
on_done(void *arg, enum io end)
{
	struct driver_owner *owner = arg;
	owner->end = end;
	owner->calls++;
}

static bool
is_done(void *arg)
{
	return ((struct driver_owner *)arg)->calls > 0;
}

static void
drive(struct driver_owner *owner, enum io (*step)(struct tls *), uint64_t ms)
{
	owner->calls = 0;
	tls_driver_start(&owner->driver, loop, owner->tls, step, ms, on_done, owner);
	assert_int_equal(owner->calls, 0);
}

static void
drives_both_ends_of_a_handshake(void **state)
{
	struct driver_owner server = { 0 }, client = { 0 };
	int fds[2];
	(void)state;
	pair(fds);
	server.tls = end_of(TLS_SESSION_RELAY, fds[0]);
	client.tls = end_of(TLS_SESSION_AGENT, fds[1]);
	drive(&server, tls_handshake, 5000);
	drive(&client, tls_handshake, 5000);
	assert_true(happens(is_done, &server));
	assert_true(happens(is_done, &client));
	assert_int_equal(server.end, IO_OK);
	assert_int_equal(client.end, IO_OK);
	assert_null(server.driver.loop);
	turn_for(5);
	assert_int_equal(server.calls, 1);
	assert_int_equal(client.calls, 1);
	stream_free(tls_stream(server.tls));
	stream_free(tls_stream(client.tls));
}

/* Bytes put back are announced by no descriptor; that they are no TLS shows at once. */
static void
takes_its_first_step_without_an_event(void **state)
{
	struct driver_owner server = { 0 };
	int fds[2];
	(void)state;
	pair(fds);
	struct stream *under = stream_socket(fds[0]);
	assert_true(stream_unread(under, "GET / HTTP/1.0\r\n\r\n", 18));
	struct tls_config *config = config_for(TLS_ENDPOINT);
	server.tls = tls_server(config, under, NULL);
	tls_config_release(config);
	drive(&server, tls_handshake, 5000);
	assert_true(happens(is_done, &server));
	assert_int_equal(server.end, IO_FAILED);
	assert_true(tls_heard_no_tls(server.tls));
	stream_free(tls_stream(server.tls));
	close(fds[1]);
}

static void
ends_at_the_deadline_whatever_trickles_in(void **state)
{
	struct driver_owner server = { 0 };
	int fds[2];
	(void)state;
	pair(fds);
	server.tls = end_of(TLS_SESSION_RELAY, fds[0]);
	drive(&server, tls_handshake, 10000);
	for (int i = 0; i < 3; i++) {
		assert_true(loop_advance(loop, 3000));
		assert_int_equal(write(fds[1], &"\x16\x03\x01"[i], 1), 1);
	}
	assert_true(loop_advance(loop, 999));
	assert_int_equal(server.calls, 0);
	assert_true(loop_advance(loop, 1));
	assert_int_equal(server.calls, 1);
	assert_int_equal(server.end, IO_WRITE);
	stream_free(tls_stream(server.tls));
	close(fds[1]);
}

/* The alert can be read although the peer says more than anybody wants; after a mere close the
 * kernel would have sent a reset instead. */
static void
lingers_until_the_peer_closes(void **state)
{
	struct driver_owner server = { 0 };
	uint8_t got[64];
	int fds[2];
	(void)state;
	tcp_pair(fds);
	server.tls = end_of(TLS_SESSION_RELAY, fds[0]);
	assert_int_equal(write(fds[1], "\x16\x03\x01\x00\x05" "nonsense and more of it", 28), 28);
	drive(&server, tls_handshake, 5000);
	assert_true(happens(is_done, &server));
	assert_int_equal(server.end, IO_FAILED);
	drive(&server, tls_linger, 5000);
	turn_for(20);
	assert_int_equal(server.calls, 0);
	assert_int_equal(write(fds[1], "still here", 10), 10);
	assert_int_equal(read(fds[1], got, sizeof got), 7);
	assert_int_equal(got[0], 21);
	assert_int_equal(read(fds[1], got, sizeof got), 0);
	close(fds[1]);
	assert_true(happens(is_done, &server));
	assert_int_equal(server.end, IO_OK);
	stream_free(tls_stream(server.tls));
}

static void
calls_nobody_once_wiped(void **state)
{
	struct driver_owner server = { 0 };
	int fds[2];
	(void)state;
	pair(fds);
	tls_driver_wipe(&server.driver);
	server.tls = end_of(TLS_SESSION_RELAY, fds[0]);
	drive(&server, tls_handshake, 10000);
	tls_driver_wipe(&server.driver);
	tls_driver_wipe(&server.driver);
	close(fds[1]);
	assert_true(loop_advance(loop, 20000));
	assert_int_equal(server.calls, 0);
	stream_free(tls_stream(server.tls));
}

/* ---- whose turn it is ---- */

enum { DRIVERS = 20, STEP_US = 700 };

/* A handshake that burns time. */
static enum io
step_slowly(struct tls *tls)
{
	(void)tls;
	clock_fake_move(clock_us() + STEP_US);
	return IO_OK;
}

static uint64_t last_us, longest_us;
static struct task flow;

static void
on_flow(void *arg)
{
	uint64_t now = clock_us();
	if (now - last_us > longest_us)
		longest_us = now - last_us;
	last_us = now;
	if (!is_done(arg))
		loop_later(loop, &flow);
}

static void
leaves_each_turn_to_others_before_long(void **state)
{
	struct driver_owner owners[DRIVERS] = { 0 };
	int fds[2];
	(void)state;
	for (int i = 0; i < DRIVERS; i++) {
		pair(fds);
		owners[i].tls = end_of(TLS_SESSION_RELAY, fds[0]);
		close(fds[1]);
		drive(&owners[i], step_slowly, 5000);
	}
	last_us = clock_us();
	longest_us = 0;
	task_init(&flow, on_flow, &owners[DRIVERS - 1]);
	loop_later(loop, &flow);
	assert_true(happens(is_done, &owners[DRIVERS - 1]));
	for (int i = 0; i < DRIVERS; i++) {
		assert_int_equal(owners[i].end, IO_OK);
		stream_free(tls_stream(owners[i].tls));
	}
	assert_true(longest_us >= HEAVY_TURN_US && longest_us < HEAVY_TURN_US + STEP_US);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(drives_both_ends_of_a_handshake),
		cmocka_unit_test(takes_its_first_step_without_an_event),
		cmocka_unit_test(ends_at_the_deadline_whatever_trickles_in),
		cmocka_unit_test(lingers_until_the_peer_closes),
		cmocka_unit_test(calls_nobody_once_wiped),
		cmocka_unit_test(leaves_each_turn_to_others_before_long),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tls_driver", tests, set_up, tear_down);
}
