/* Tests of base/pass: descriptors from one end of a socket to the other. */
#include "base/pass.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "helpers.h"

static int pair[2];

static int
set_up(void **state)
{
	(void)state;
	return pass_pair(pair) ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	close(pair[0]);
	close(pair[1]);
	return 0;
}

static bool
are_the_same(int one, int other)
{
	struct stat a, b;

	return fstat(one, &a) == 0 && fstat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static void
passes_a_descriptor_with_its_message(void **state)
{
	char text[8] = "";
	int sent[2], fd;

	(void)state;
	assert_int_equal(pipe2(sent, O_CLOEXEC), 0);
	assert_int_equal(pass_send(pair[0], "one", 3, sent[0]), 3);
	assert_int_equal(pass_send(pair[0], "two", 3, -1), 3);
	assert_int_equal(pass_receive(pair[1], text, sizeof text, &fd), 3);
	assert_string_equal(text, "one");
	assert_true(are_the_same(fd, sent[0]));
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	close(fd);
	assert_int_equal(pass_receive(pair[1], text, sizeof text, &fd), 3);
	assert_string_equal(text, "two");
	assert_int_equal(fd, -1);
	close(sent[0]);
	close(sent[1]);
}

/* The other end of the pipe tells whether anybody has this one still. */
static void
assert_closed(int fd)
{
	char byte;

	assert_int_equal(read(fd, &byte, 1), 0);
}

static void
a_message_that_is_cut_short_leaves_nothing_open(void **state)
{
	char text[2];
	int sent[2], fd = 7;

	(void)state;
	assert_int_equal(pipe2(sent, O_CLOEXEC), 0);
	assert_int_equal(pass_send(pair[0], "long", 4, sent[1]), 4);
	close(sent[1]);
	assert_int_equal(pass_receive(pair[1], text, sizeof text, &fd), -1);
	assert_int_equal(errno, EMSGSIZE);
	assert_int_equal(fd, -1);
	assert_closed(sent[0]);
	close(sent[0]);
}

static void
send_several(int socket, const int *fds, size_t count)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(20 * sizeof(int))];
	} control = { 0 };
	struct iovec part = { .iov_base = "x", .iov_len = 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.room,
		.msg_controllen = CMSG_SPACE(count * sizeof(int)) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(header), fds, count * sizeof(int));
	assert_int_equal(sendmsg(socket, &message, 0), 1);
}

/* Those that the kernel had no room to tell of are closed by it, those it told of by us. */
static void
several_descriptors_at_once_are_refused_and_closed(void **state)
{
	int sent[2], many[20], fd;
	char text[8];

	(void)state;
	for (size_t count = 2; count <= 20; count += 9) {
		assert_int_equal(pipe2(sent, O_CLOEXEC), 0);
		for (size_t i = 0; i < count; i++)
			many[i] = sent[1];
		send_several(pair[0], many, count);
		close(sent[1]);
		assert_int_equal(pass_receive(pair[1], text, sizeof text, &fd), -1);
		assert_int_equal(errno, EMSGSIZE);
		assert_int_equal(fd, -1);
		assert_closed(sent[0]);
		close(sent[0]);
	}
}

static void
an_end_is_no_message(void **state)
{
	char text[8];
	int fd;

	(void)state;
	close(pair[0]);
	assert_int_equal(pass_receive(pair[1], text, sizeof text, &fd), 0);
	pair[0] = dup(pair[1]);
}

static void
knows_who_is_there(void **state)
{
	struct ucred peer = { 0 }, stranger = { .uid = geteuid() + 1 }, root = { .uid = 0 };

	(void)state;
	assert_true(pass_peer(pair[1], &peer));
	assert_int_equal(peer.pid, getpid());
	assert_true(pass_is_ours(&peer));
	assert_true(pass_is_ours(&root));
	assert_false(pass_is_ours(&stranger));
	assert_false(pass_peer(STDERR_FILENO + 1000, &peer));
}

#define PASS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	PASS_TEST(passes_a_descriptor_with_its_message),
	PASS_TEST(a_message_that_is_cut_short_leaves_nothing_open),
	PASS_TEST(several_descriptors_at_once_are_refused_and_closed),
	PASS_TEST(an_end_is_no_message),
	PASS_TEST(knows_who_is_there),
};

RUN_TESTS("pass", tests)
