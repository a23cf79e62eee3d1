#include "tunnel/stream.h"

#include "base/socket.h"
#include "tunnel/peer.h"

static void
bytes_put_back_come_first_and_in_order(void **state)
{
	int fds[2];
	(void)state;
	pair(fds);
	struct stream *a = stream_socket(fds[0]), *b = stream_socket(fds[1]);
	say(a, "end");
	assert_true(stream_unread(b, "middle ", 7));
	assert_true(stream_unread(b, "begin ", 6));
	assert_int_equal(stream_unread_left(b), 13);
	hear(b, "begin middle end");
	assert_int_equal(stream_unread_left(b), 0);
	stream_free(a);
	stream_free(b);
}

static void
putting_nothing_back_is_fine(void **state)
{
	int fds[2];
	(void)state;
	pair(fds);
	struct stream *a = stream_socket(fds[0]);
	assert_true(stream_unread(a, NULL, 0));
	assert_int_equal(stream_unread_left(a), 0);
	stream_free(a);
	stream_free(NULL);
	close(fds[1]);
}

static void
says_what_to_wait_for(void **state)
{
	static char much[1 << 20];
	int fds[2];
	size_t done;
	enum io io;
	(void)state;
	pair(fds);
	struct stream *a = stream_socket(fds[0]);
	assert_int_equal(stream_read(a, much, 1, &done), IO_READ);
	while ((io = stream_write(a, much, sizeof much, &done)) == IO_OK)
		assert_true(done > 0);
	assert_int_equal(io, IO_WRITE);
	assert_int_equal(done, 0);
	stream_free(a);
	close(fds[1]);
}

static void
half_closes_and_reads_on(void **state)
{
	int fds[2];
	(void)state;
	tcp_pair(fds);
	struct stream *a = stream_socket(fds[0]), *b = stream_socket(fds[1]);
	assert_int_equal(stream_finish(a), IO_OK);
	assert_int_equal(stream_finish(a), IO_OK);
	assert_int_equal(hear_nothing(b), IO_EOF);
	say(b, "still here");
	hear(a, "still here");
	stream_free(a);
	stream_free(b);
}

static void
a_reset_arrives_as_one(void **state)
{
	int fds[2];
	size_t done;
	(void)state;
	tcp_pair(fds);
	struct stream *a = stream_socket(fds[0]), *b = stream_socket(fds[1]);
	stream_reset(a);
	stream_free(a);
	assert_int_equal(hear_nothing(b), IO_RESET);
	assert_int_equal(stream_write(b, "x", 1, &done), IO_RESET);
	stream_free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_put_back_come_first_and_in_order),
		cmocka_unit_test(putting_nothing_back_is_fine),
		cmocka_unit_test(says_what_to_wait_for),
		cmocka_unit_test(half_closes_and_reads_on),
		cmocka_unit_test(a_reset_arrives_as_one),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
