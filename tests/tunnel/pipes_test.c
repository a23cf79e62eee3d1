/* The pool of pipes: who gets one, who has to return it, and what becomes of one that was used. */
#include "tunnel/pipes.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock_fake.h"
#include "base/loop_advance.h"
#include "skip.h"

enum { NOBODY = 65534, MANY = 5000 };

/* Who has borrowed a pipe. */
struct borrower {
	struct pipe *pipe;
	unsigned claims;
	bool cannot_return;
};

static struct loop *loop;
static struct pipes pipes;
static struct borrower borrowers[PIPES_OF_PROCESS + 1];

static void
on_claim(void *arg)
{
	struct borrower *borrower = arg;
	borrower->claims++;
	if (borrower->cannot_return)
		return;
	pipes_return(&pipes, borrower->pipe);
	borrower->pipe = NULL;
}

static bool
borrow(int i)
{
	borrowers[i] = (struct borrower){ .pipe = pipes_take(&pipes, &borrowers[i]) };
	return borrowers[i].pipe != NULL;
}

static void
give_back(int i)
{
	pipes_return(&pipes, borrowers[i].pipe);
	borrowers[i].pipe = NULL;
}

static void
let_pass(uint64_t ms)
{
	assert_true(loop_advance(loop, ms));
}

static bool
is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static int
begin(void **state)
{
	(void)state;
	clock_fake(1000000, 1000000);
	loop = loop_new();
	pipes_init(&pipes, loop, on_claim);
	return loop ? 0 : -1;
}

static int
end(void **state)
{
	(void)state;
	for (int i = 0; i <= PIPES_OF_PROCESS; i++)
		if (borrowers[i].pipe)
			give_back(i);
	pipes_wipe(&pipes);
	loop_free(loop);
	clock_fake(0, 0);
	return 0;
}

static void
a_pipe_is_large_and_empty_and_returned_to_be_used_again(void **state)
{
	(void)state;
	assert_true(borrow(0));
	struct pipe *pipe = borrowers[0].pipe;
	assert_int_equal(fcntl(pipe->fd[0], F_GETPIPE_SZ), pipe->room);
	assert_in_range(pipe->room, PIPE_BYTES_LEAST, PIPE_BYTES);
	assert_int_equal(pipe->bytes, 0);
	assert_int_equal(fcntl(pipe->fd[0], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	assert_int_equal(fcntl(pipe->fd[0], F_GETFD), FD_CLOEXEC);
	give_back(0);
	assert_true(borrow(1));
	assert_ptr_equal(borrowers[1].pipe, pipe);
}

static void
a_pipe_with_bytes_in_it_is_not_used_again(void **state)
{
	int left;
	(void)state;
	assert_true(borrow(0));
	struct pipe *pipe = borrowers[0].pipe;
	assert_int_equal(write(pipe->fd[1], "left", 4), 4);
	pipe->bytes = 4;
	int fd = pipe->fd[0];
	give_back(0);
	assert_false(is_open(fd));
	assert_true(borrow(0));
	assert_int_equal(ioctl(borrowers[0].pipe->fd[0], FIONREAD, &left), 0);
	assert_int_equal(left, 0);
	assert_int_equal(borrowers[0].pipe->bytes, 0);
}

static void
there_are_so_many_and_the_one_lent_longest_goes_first(void **state)
{
	(void)state;
	for (int i = 0; i < PIPES_OF_PROCESS; i++) {
		assert_true(borrow(i));
		if (i == 0)
			let_pass(1);
	}
	let_pass(PIPES_CLAIM_MS - 2);
	assert_false(borrow(PIPES_OF_PROCESS));
	let_pass(1);
	assert_true(borrow(PIPES_OF_PROCESS));
	for (int i = 0; i < PIPES_OF_PROCESS; i++)
		assert_int_equal(borrowers[i].claims, i == 0);
}

static void
many_pools_have_an_equal_part_each(void **state)
{
	enum { OTHERS = PIPES_OF_PROCESS / 3 - 1 };
	static struct pipes other[OTHERS];
	(void)state;
	for (int i = 0; i < OTHERS; i++)
		pipes_init(&other[i], loop, on_claim);
	for (int i = 0; i < 4; i++)
		assert_int_equal(borrow(i), i < 3);
	for (int i = 0; i < OTHERS; i++) {
		pipes_wipe(&other[i]);
		pipes_wipe(&other[i]);
	}
	for (int i = 3; i <= PIPES_OF_PROCESS; i++)
		assert_int_equal(borrow(i), i < PIPES_OF_PROCESS);
}

static void
descriptors_are_those_of_all_pipes_that_there_may_be(void **state)
{
	(void)state;
	assert_int_equal(pipes_descriptors(0), 0);
	assert_int_equal(pipes_descriptors(1), 2 * PIPES_OF_PROCESS);
	assert_int_equal(pipes_descriptors(5), 2 * 45);
	assert_int_equal(pipes_descriptors(PIPES_OF_PROCESS + 1), 2 * (PIPES_OF_PROCESS + 1));
}

static void
who_keeps_one_for_a_second_is_asked_for_it(void **state)
{
	(void)state;
	assert_true(borrow(0));
	borrowers[0].cannot_return = true;
	let_pass(500);
	assert_true(borrow(1));
	let_pass(499);
	assert_int_equal(borrowers[0].claims, 0);
	let_pass(1);
	assert_int_equal(borrowers[0].claims, 1);
	assert_int_equal(borrowers[1].claims, 0);
	let_pass(500);
	assert_int_equal(borrowers[1].claims, 1);
	let_pass(499);
	assert_int_equal(borrowers[0].claims, 1);
	let_pass(1);
	assert_int_equal(borrowers[0].claims, 2);
}

static void
what_nobody_wants_is_closed_and_nothing_wakes_up_then(void **state)
{
	(void)state;
	assert_true(borrow(0));
	int fd = borrowers[0].pipe->fd[0];
	give_back(0);
	let_pass(500);
	assert_true(is_open(fd));
	let_pass(1500);
	assert_false(is_open(fd));
	assert_false(pipes.timer.armed);
	assert_true(borrow(0));
}

static void
after_the_end_none_is_lent_and_all_are_closed(void **state)
{
	(void)state;
	assert_true(borrow(0));
	assert_true(borrow(1));
	int lent = borrowers[0].pipe->fd[0], spare = borrowers[1].pipe->fd[0];
	give_back(1);
	pipes_wipe(&pipes);
	assert_false(is_open(spare));
	assert_false(borrow(1));
	assert_true(is_open(lent));
	give_back(0);
	assert_false(is_open(lent));
}

/* ---- what the kernel lets a user have ---- */

static int others[MANY][2];

/* Until the kernel refuses; the number of pipes, or -1 if it refuses nothing. */
static int
use_up(void)
{
	for (int i = 0; i < MANY; i++) {
		if (pipe(others[i]) < 0)
			return -1;
		if (fcntl(others[i][1], F_SETPIPE_SZ, PIPE_BYTES_LEAST) < 0)
			return errno == EPERM ? i + 1 : -1;
	}
	return -1;
}

/* As a user without privileges, in a process of its own; says which step has failed. */
static int
live_with_a_bound(void)
{
	int count;
	if (geteuid() == 0 && (setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
		return 1;
	count = use_up();
	if (count < 0)
		return 77;
	if (borrow(0))
		return 2;
	for (int i = 0; i < count; i++) {
		close(others[i][0]);
		close(others[i][1]);
	}
	if (borrow(0))
		return 3; /* it is not asked again at once */
	if (!loop_advance(loop, PIPES_HOLD_MS) || !borrow(0))
		return 4;
	return fcntl(borrowers[0].pipe->fd[0], F_GETPIPE_SZ) < PIPE_BYTES_LEAST ? 5 : 0;
}

static void
who_has_used_up_his_part_gets_none_until_there_are_again(void **state)
{
	int status;
	(void)state;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(live_with_a_bound());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		SKIP("pipe-user-pages-soft is 0, or more than there are descriptors");
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
the_last_quarter_of_the_descriptors_is_not_for_pipes(void **state)
{
	struct rlimit before, few;
	int fds[75], count = 0;
	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = (struct rlimit){ 100, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	while ((fds[count] = dup(0)) < 73) /* the next pipe has 74 and 75 */
		count++;
	assert_false(borrow(0));
	let_pass(PIPES_HOLD_MS);
	close(fds[count--]);
	assert_true(borrow(0)); /* 73 and 74 */
	assert_false(borrow(1));
	while (count >= 0)
		close(fds[count--]);
	let_pass(PIPES_HOLD_MS);
	assert_true(borrow(1));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    a_pipe_is_large_and_empty_and_returned_to_be_used_again, begin, end),
		cmocka_unit_test_setup_teardown(
		    a_pipe_with_bytes_in_it_is_not_used_again, begin, end),
		cmocka_unit_test_setup_teardown(
		    there_are_so_many_and_the_one_lent_longest_goes_first, begin, end),
		cmocka_unit_test(descriptors_are_those_of_all_pipes_that_there_may_be),
		cmocka_unit_test_setup_teardown(many_pools_have_an_equal_part_each, begin, end),
		cmocka_unit_test_setup_teardown(
		    who_keeps_one_for_a_second_is_asked_for_it, begin, end),
		cmocka_unit_test_setup_teardown(
		    what_nobody_wants_is_closed_and_nothing_wakes_up_then, begin, end),
		cmocka_unit_test_setup_teardown(
		    after_the_end_none_is_lent_and_all_are_closed, begin, end),
		cmocka_unit_test_setup_teardown(
		    who_has_used_up_his_part_gets_none_until_there_are_again, begin, end),
		cmocka_unit_test_setup_teardown(
		    the_last_quarter_of_the_descriptors_is_not_for_pipes, begin, end),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("pipes", tests, NULL, NULL);
}
