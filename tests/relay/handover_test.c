/* Tests of relay/handover: what the older process does, with a newer one that the test plays. */
#include "relay/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/clock_fake.h"
#include "base/log.h"
#include "base/loop_advance.h"
#include "base/pass.h"
#include "relay/conn.h"
#include "helpers.h"

static struct loop *loop;
static struct handover *handover;
static int newer;
static char events[8];
static uint8_t data[HANDOVER_BYTES];

static void
on_event(void *arg, enum handover_event event)
{
	(void)arg;
	events[strlen(events)] = "RDF"[event];
}

static int
set_up(void **state)
{
	(void)state;
	log_init("test", LOG_ERROR, LOG_TEXT);
	clock_fake(1000000000, 1767225600000000);
	memset(events, 0, sizeof events);
	loop = loop_new();
	handover = handover_new();
	return !handover_begin(handover, loop, &newer, on_event, NULL);
}

static int
tear_down(void **state)
{
	(void)state;
	if (newer >= 0)
		close(newer);
	handover_stop(handover);
	handover_free(handover);
	loop_free(loop);
	clock_fake(0, 0);
	return 0;
}

/* The loop is told of it by the kernel at once. */
static void
say(enum handover_kind kind)
{
	uint8_t byte = (uint8_t)kind;

	assert_int_equal(pass_send(newer, &byte, 1, -1), 1);
	assert_true(loop_advance(loop, 0));
}

static void
hang_up(void)
{
	close(newer);
	newer = -1;
	assert_true(loop_advance(loop, 0));
}

static enum handover_kind
heard(struct handover_conn *conn, int *fd)
{
	ssize_t got = pass_receive(newer, data, sizeof data, fd);

	return got > 0 ? handover_decode(data, (size_t)got, conn) : 0;
}

static const struct ip_address listener = { .bytes = sizeof(struct sockaddr_in),
	.as.v4 = { .sin_family = AF_INET } };

/* A connection, and its client's end. */
static struct conn
connection(int *client)
{
	struct conn conn = { .listener = &listener, .accepted_us = 7, .bytes = 5 };
	struct address from = address_of("192.0.2.1:4711");
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	conn.fd = pair[0];
	*client = pair[1];
	conn.client = ip_address_of(&from);
	conn.wire = malloc(5);
	memcpy(conn.wire, "hello", 5);
	conn.capacity = 5;
	return conn;
}

static void
nothing_is_passed_before_the_newer_one_is_ready(void **state)
{
	int client;
	struct conn conn = connection(&client);

	(void)state;
	assert_false(handover_is_on(NULL));
	assert_false(handover_is_on(handover));
	assert_false(handover_send(handover, &conn));
	say(HANDOVER_READY);
	assert_string_equal(events, "R");
	assert_true(handover_is_on(handover));
	conn_wipe(&conn);
	close(client);
}

static void
a_connection_is_passed_with_what_was_read(void **state)
{
	int client, fd;
	struct conn conn = connection(&client);
	struct handover_conn got;
	char byte;

	(void)state;
	say(HANDOVER_READY);
	assert_true(handover_send(handover, &conn));
	handover_let_go(loop, &conn);
	assert_true(loop_advance(loop, 0));
	assert_int_equal(heard(&got, &fd), HANDOVER_CONN);
	assert_int_equal(got.wire_bytes, 5);
	assert_memory_equal(got.wire, "hello", 5);
	assert_int_equal(got.accepted_us, 7);
	assert_int_equal(address_port(&got.client), 4711);
	assert_int_equal(recv(client, &byte, 1, 0), -1); /* it has no end */
	assert_int_equal(send(client, "!", 1, 0), 1);
	assert_int_equal(recv(fd, &byte, 1, 0), 1);
	close(fd); /* the last one */
	assert_int_equal(recv(client, &byte, 1, 0), 0);
	close(client);
}

/* What was routed there by a refusal is for static routes only. */
static void
a_second_choice_stays(void **state)
{
	int client;
	struct conn conn = connection(&client);

	(void)state;
	say(HANDOVER_READY);
	conn.is_second_choice = true;
	assert_false(handover_send(handover, &conn));
	conn_wipe(&conn);
	close(client);
}

static void
one_that_does_not_read_gets_no_more_and_nothing_is_lost(void **state)
{
	int client;
	struct conn conn = connection(&client);
	size_t passed = 0;
	struct handover_conn got;
	int fd;

	(void)state;
	say(HANDOVER_READY);
	while (passed < 100000 && handover_send(handover, &conn))
		passed++;
	assert_in_range(passed, 10, 99999);
	assert_int_equal(conn.bytes, 5);
	for (size_t i = 0; i < passed; i++) {
		assert_int_equal(heard(&got, &fd), HANDOVER_CONN);
		close(fd);
	}
	assert_true(handover_send(handover, &conn)); /* there is room again */
	conn_wipe(&conn);
	close(client);
}

static void
its_end_before_it_accepts_is_a_failure_and_another_may_begin(void **state)
{
	int client;
	struct conn conn = connection(&client);

	(void)state;
	say(HANDOVER_READY);
	hang_up();
	assert_string_equal(events, "RF");
	assert_false(handover_is_on(handover));
	assert_false(handover_send(handover, &conn));
	assert_true(handover_begin(handover, loop, &newer, on_event, NULL));
	say(HANDOVER_READY);
	say(HANDOVER_ACCEPTING);
	assert_string_equal(events, "RFRD");
	conn_wipe(&conn);
	close(client);
}

static void
there_is_one_at_a_time(void **state)
{
	int other;

	(void)state;
	assert_false(handover_begin(handover, loop, &other, on_event, NULL));
	say(HANDOVER_READY);
	say(HANDOVER_ACCEPTING);
	assert_false(handover_begin(handover, loop, &other, on_event, NULL));
}

static void
its_end_after_it_accepts_is_none(void **state)
{
	(void)state;
	say(HANDOVER_READY);
	say(HANDOVER_ACCEPTING);
	assert_true(handover_is_on(handover));
	hang_up();
	assert_string_equal(events, "RD");
	assert_false(handover_is_on(handover));
}

static void
what_it_must_not_say_is_a_failure(void **state)
{
	static const enum handover_kind wrong[] = { HANDOVER_ACCEPTING, HANDOVER_CANCEL,
		HANDOVER_CONN, HANDOVER_LISTENER };

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		memset(events, 0, sizeof events);
		say(wrong[i]);
		assert_string_equal(events, "F");
		close(newer);
		assert_true(handover_begin(handover, loop, &newer, on_event, NULL));
	}
	say(HANDOVER_READY);
	say(HANDOVER_READY);
	assert_string_equal(events, "FRF");
}

static void
a_cancelled_one_is_told_so(void **state)
{
	struct handover_conn got;
	int fd;

	(void)state;
	handover_cancel(handover);
	assert_int_equal(heard(&got, &fd), HANDOVER_CANCEL);
	assert_int_equal(heard(&got, &fd), 0);
	assert_string_equal(events, "");
}

/* So that never two accept: its word comes before, and counts, or it cannot be said. */
static void
one_that_hangs_is_cancelled_and_cannot_accept_any_more(void **state)
{
	const uint8_t accepting = HANDOVER_ACCEPTING;
	struct handover_conn got;
	int fd;

	(void)state;
	say(HANDOVER_READY);
	assert_true(handover_cancel(handover));
	assert_false(handover_is_on(handover));
	assert_int_equal(pass_send(newer, &accepting, 1, -1), -1);
	assert_int_equal(heard(&got, &fd), HANDOVER_CANCEL);
	assert_string_equal(events, "R");
}

static void
its_word_that_came_just_before_counts(void **state)
{
	const uint8_t accepting = HANDOVER_ACCEPTING;
	int client;
	struct conn conn = connection(&client);

	(void)state;
	say(HANDOVER_READY);
	assert_int_equal(pass_send(newer, &accepting, 1, -1), 1);
	assert_false(handover_cancel(handover));
	assert_string_equal(events, "RD");
	assert_true(handover_send(handover, &conn));
	assert_true(loop_advance(loop, 0));
	assert_true(handover_is_on(handover));
	conn_wipe(&conn);
	close(client);
}

#define HANDOVER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		HANDOVER_TEST(nothing_is_passed_before_the_newer_one_is_ready),
		HANDOVER_TEST(a_connection_is_passed_with_what_was_read),
		HANDOVER_TEST(a_second_choice_stays),
		HANDOVER_TEST(one_that_does_not_read_gets_no_more_and_nothing_is_lost),
		HANDOVER_TEST(its_end_before_it_accepts_is_a_failure_and_another_may_begin),
		HANDOVER_TEST(there_is_one_at_a_time),
		HANDOVER_TEST(its_end_after_it_accepts_is_none),
		HANDOVER_TEST(what_it_must_not_say_is_a_failure),
		HANDOVER_TEST(a_cancelled_one_is_told_so),
		HANDOVER_TEST(one_that_hangs_is_cancelled_and_cannot_accept_any_more),
		HANDOVER_TEST(its_word_that_came_just_before_counts),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("handover", tests, NULL, NULL);
}
