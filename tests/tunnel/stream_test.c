/* Tests of tunnel/stream: an end and a reset are told apart. */
#include "tunnel/stream.h"

#include <errno.h>
#include <linux/filter.h>
#include <poll.h>

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

/* Whatever is written next, and before the end, too. */
static void
queued_bytes_go_out_first(void **state)
{
	static char much[1 << 20];
	size_t done, filled = 0;
	(void)state;
	for (int finishes = 0; finishes < 2; finishes++) {
		int fds[2];
		pair(fds);
		struct stream *a = stream_socket(fds[0]), *b = stream_socket(fds[1]);
		for (filled = 0; stream_write(a, much, sizeof much, &done) == IO_OK;)
			filled += done;
		assert_true(stream_queue(a, "queued ", 7));
		assert_true(stream_unread(a, "unread", 6));
		assert_true(stream_queue(a, "twice ", 6));
		assert_true(stream_queue(a, NULL, 0));
		assert_int_equal(stream_write(a, NULL, 0, &done), IO_WRITE);
		if (finishes)
			assert_int_equal(stream_finish(a), IO_WRITE);
		for (; filled > 0; filled -= done) {
			size_t most = filled < sizeof much ? filled : sizeof much;
			assert_int_equal(stream_read(b, much, most, &done), IO_OK);
		}
		if (finishes)
			assert_int_equal(stream_finish(a), IO_OK);
		else
			say(a, "then");
		hear(b, finishes ? "queued twice " : "queued twice then");
		assert_int_equal(hear_nothing(b), finishes ? IO_EOF : IO_READ);
		hear(a, "unread");
		assert_null(a->unread);
		stream_free(a);
		stream_free(b);
	}
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

/* The kernel waits for the end and sends both together; or, if that cannot come yet, sends them as it can. */
static void
the_last_bytes_and_the_end_arrive(void **state)
{
	static uint8_t much[4 << 20];
	size_t sent = 0, got = 0, done;
	int fds[2], little = 1 << 16;
	enum io io;
	(void)state;
	tcp_pair(fds);
	assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &little, sizeof little), 0);
	assert_int_equal(setsockopt(fds[1], SOL_SOCKET, SO_RCVBUF, &little, sizeof little), 0);
	struct stream *a = stream_socket(fds[0]), *b = stream_socket(fds[1]);
	a->ends_next = true;
	while ((io = stream_write(a, much, sizeof much - sent, &done)) == IO_OK && sent + done < sizeof much)
		sent += done;
	assert_int_equal(io, IO_WRITE); /* the socket is full */
	for (struct pollfd p = { .fd = fds[1], .events = POLLIN }; got < sent; got += done) {
		assert_int_equal(poll(&p, 1, 10000), 1); /* nothing is held back for good */
		assert_int_equal(stream_read(b, much, sizeof much, &done), IO_OK);
	}
	say(a, "last");
	assert_int_equal(stream_finish(a), IO_OK);
	hear(b, "last");
	assert_int_equal(hear_nothing(b), IO_EOF);
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
	assert_false(stream_was_silent(b));
	stream_free(b);
}

/* The first write may still go out; then the peer's answer to it comes. */
static enum io
write_until_it_fails(struct stream *s)
{
	size_t done;
	enum io io = stream_write(s, "x", 1, &done);
	if (io != IO_OK)
		return io;
	await(s->fd, 0);
	return stream_write(s, "x", 1, &done);
}

enum ending { RESETS, CLOSES_UNREAD, FINISHES_AND_RESETS, FINISHES_AND_CLOSES };

/* What the other end gets from one that says something and goes, each in its way. */
static struct stream *
left_by(enum ending ending)
{
	int fds[2];
	tcp_pair(fds);
	struct stream *a = stream_socket(fds[0]), *b = stream_socket(fds[1]);
	say(a, "unread");
	say(b, "last words");
	if (ending >= FINISHES_AND_RESETS)
		assert_int_equal(stream_finish(b), IO_OK);
	if (ending == RESETS || ending == FINISHES_AND_RESETS)
		stream_reset(b);
	stream_free(b);
	return a;
}

/* The failed call takes the socket's error with it; what follows would look like a FIN. */
static void
a_failed_write_makes_no_end_of_a_reset(void **state)
{
	(void)state;
	for (enum ending ending = RESETS; ending <= CLOSES_UNREAD; ending++) {
		struct stream *a = left_by(ending);
		assert_int_equal(write_until_it_fails(a), IO_RESET);
		assert_int_equal(write_until_it_fails(a), IO_RESET);
		assert_true(stream_is_broken(a));
		hear(a, "last words");
		assert_int_equal(hear_nothing(a), IO_RESET);
		assert_int_equal(hear_nothing(a), IO_RESET);
		stream_free(a);
	}
}

static void
a_failed_write_makes_no_reset_of_an_end(void **state)
{
	(void)state;
	for (enum ending ending = FINISHES_AND_RESETS; ending <= FINISHES_AND_CLOSES; ending++) {
		struct stream *a = left_by(ending);
		assert_int_equal(write_until_it_fails(a), IO_EOF);
		hear(a, "last words");
		assert_int_equal(hear_nothing(a), IO_EOF);
		assert_int_equal(hear_nothing(a), IO_EOF);
		stream_free(a);
	}
}

static void
a_reset_that_reading_has_met_stays_one(void **state)
{
	size_t done;
	(void)state;
	struct stream *a = left_by(RESETS);
	hear(a, "last words");
	for (int i = 0; i < 3; i++)
		assert_int_equal(hear_nothing(a), IO_RESET);
	assert_int_equal(stream_write(a, "x", 1, &done), IO_RESET);
	assert_int_equal(hear_nothing(a), IO_RESET);
	stream_free(a);
}

static void
a_finish_that_comes_too_late_hides_nothing(void **state)
{
	(void)state;
	for (enum ending ending = RESETS; ending <= FINISHES_AND_RESETS; ending++) {
		bool has_finished = ending >= FINISHES_AND_RESETS;
		struct stream *a = left_by(ending);
		assert_int_equal(stream_finish(a), IO_EOF);
		hear(a, "last words");
		assert_int_equal(hear_nothing(a), has_finished ? IO_EOF : IO_RESET);
		assert_int_equal(stream_finish(a), has_finished ? IO_EOF : IO_RESET);
		stream_free(a);
	}
}

static void
finishing_twice_is_harmless_when_all_is_over(void **state)
{
	int fds[2];
	(void)state;
	tcp_pair(fds);
	struct stream *a = stream_socket(fds[0]), *b = stream_socket(fds[1]);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(stream_finish(a), IO_OK);
		assert_int_equal(stream_finish(b), IO_OK);
		assert_int_equal(hear_nothing(a), IO_EOF);
		assert_int_equal(hear_nothing(b), IO_EOF);
	}
	stream_free(a);
	stream_free(b);
}

/* A peer that is switched off; its kernel answers nothing any more. */
static void
a_connection_that_times_out_has_not_ended(void **state)
{
	struct sock_filter drop[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_fprog filter = { .len = 1, .filter = drop };
	int fds[2];
	size_t done;
	(void)state;
	for (int how = 0; how < 3; how++) {
		tcp_pair(fds);
		struct stream *a = stream_socket(fds[0]);
		assert_int_equal(setsockopt(fds[0], IPPROTO_TCP, TCP_USER_TIMEOUT, &(int){ 100 },
		    sizeof(int)), 0);
		assert_int_equal(setsockopt(fds[1], SOL_SOCKET, SO_ATTACH_FILTER, &filter,
		    sizeof filter), 0);
		say(a, "hello?");
		struct pollfd at = { .fd = fds[0] };
		assert_int_equal(poll(&at, 1, 10000), 1);
		assert_true(stream_is_broken(a));
		if (how == 1)
			assert_int_equal(stream_write(a, "x", 1, &done), IO_RESET);
		if (how == 2)
			assert_true(stream_was_silent(a));
		assert_int_equal(hear_nothing(a), IO_RESET);
		assert_int_equal(hear_nothing(a), IO_RESET);
		assert_true(stream_was_silent(a));
		stream_free(a);
		close(fds[1]);
	}
}

static void
a_unix_socket_tells_both_ends_apart_too(void **state)
{
	(void)state;
	for (int reads = 0; reads < 2; reads++) {
		int fds[2];
		pair(fds);
		struct stream *a = stream_socket(fds[0]), *b = stream_socket(fds[1]);
		say(a, "request");
		say(b, "answer");
		if (reads)
			hear(b, "request");
		stream_free(b);
		assert_int_not_equal(write_until_it_fails(a), IO_OK);
		hear(a, "answer");
		assert_int_equal(hear_nothing(a), reads ? IO_EOF : IO_RESET);
		assert_int_equal(hear_nothing(a), reads ? IO_EOF : IO_RESET);
		stream_free(a);
	}
}

static size_t
taken_at_once(void (*make)(int fds[2]))
{
	static char much[128 * 1024];
	size_t done;
	int fds[2];
	make(fds);
	struct stream *a = stream_socket(fds[0]);
	assert_int_equal(stream_write(a, much, sizeof much, &done), IO_OK);
	stream_free(a);
	close(fds[1]);
	return done;
}

/* More than one piece of the kernel's in one call, and a reset between them would be lost. */
static void
a_unix_socket_is_sent_one_piece_at_a_time(void **state)
{
	(void)state;
	assert_in_range(taken_at_once(pair), 1, 32 * 1024);
	assert_in_range(taken_at_once(tcp_pair), 32 * 1024 + 1, 128 * 1024);
}

static bool is_memory_short;

/* In front of the system's. */
ssize_t
send(int fd, const void *data, size_t bytes, int flags)
{
	if (!is_memory_short)
		return sendto(fd, data, bytes, flags, NULL, 0);
	errno = ENOBUFS;
	return -1;
}

/* Nothing is on its way whose arrival would make an edge. */
static void
a_kernel_without_memory_is_not_waited_for(void **state)
{
	size_t done;
	int fds[2];
	(void)state;
	pair(fds);
	struct stream *a = stream_socket(fds[0]);
	is_memory_short = true;
	assert_int_equal(stream_write(a, "x", 1, &done), IO_FAILED);
	is_memory_short = false;
	stream_free(a);
	close(fds[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_put_back_come_first_and_in_order),
		cmocka_unit_test(putting_nothing_back_is_fine),
		cmocka_unit_test(queued_bytes_go_out_first),
		cmocka_unit_test(says_what_to_wait_for),
		cmocka_unit_test(half_closes_and_reads_on),
		cmocka_unit_test(the_last_bytes_and_the_end_arrive),
		cmocka_unit_test(a_reset_arrives_as_one),
		cmocka_unit_test(a_failed_write_makes_no_end_of_a_reset),
		cmocka_unit_test(a_failed_write_makes_no_reset_of_an_end),
		cmocka_unit_test(a_reset_that_reading_has_met_stays_one),
		cmocka_unit_test(a_finish_that_comes_too_late_hides_nothing),
		cmocka_unit_test(finishing_twice_is_harmless_when_all_is_over),
		cmocka_unit_test(a_connection_that_times_out_has_not_ended),
		cmocka_unit_test(a_unix_socket_tells_both_ends_apart_too),
		cmocka_unit_test(a_unix_socket_is_sent_one_piece_at_a_time),
		cmocka_unit_test(a_kernel_without_memory_is_not_waited_for),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
