/* Tests of base/loop: timers, descriptors, tasks, calls and signals. */
#include "base/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/loop_private.h"
#include "helpers.h"

enum { SENDERS = 4, MESSAGES = 2000 };

static struct loop *loop;
static char story[256];		/* what happened, in order */

static void
note(const char *what)
{
	size_t used = strlen(story);

	snprintf(story + used, sizeof story - used, "%s ", what);
}

static int
set_up(void **state)
{
	(void)state;
	story[0] = '\0';
	loop = loop_new();
	return !loop;
}

static int
tear_down(void **state)
{
	(void)state;
	loop_free(loop);
	return 0;
}

static void
stop(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void
note_task(void *arg)
{
	note(arg);
}

static void
timers_fire_in_order_and_once(void **state)
{
	struct timer a, b, c;
	uint64_t began = clock_ms();

	(void)state;
	timer_init(&a, loop, note_task, "a");
	timer_init(&b, loop, note_task, "b");
	timer_init(&c, loop, stop, NULL);
	timer_set(&a, 30);
	timer_set(&b, 10);
	timer_set(&c, 60);
	assert_true(a.armed);
	loop_run(loop);
	assert_string_equal(story, "b a ");
	assert_false(a.armed);
	assert_true(clock_ms() - began >= 55);
}

static void
a_cleared_timer_does_not_fire_and_a_set_one_starts_anew(void **state)
{
	struct timer a, b, c, none = {0};

	(void)state;
	timer_init(&a, loop, note_task, "a");
	timer_init(&b, loop, note_task, "b");
	timer_init(&c, loop, stop, NULL);
	timer_clear(&a);
	timer_clear(&none);
	timer_set(&a, 5);
	timer_set(&b, 1);
	timer_set(&b, 60000);
	timer_set(&c, 30);
	timer_clear(&a);
	loop_run(loop);
	assert_string_equal(story, "");
	assert_true(b.armed);
	timer_clear(&b);
}

static struct watch watch;
static int ends[2];

static void
on_ready(void *arg, unsigned ready)
{
	char byte;

	(void)arg;
	note(ready == WATCH_READ ? "read" : ready == WATCH_WRITE ? "write" : "both");
	if ((ready & WATCH_READ) != 0 && read(ends[0], &byte, 1) <= 0)
		note("end");
	loop_stop(loop);
}

static void
a_watch_tells_what_is_ready_and_wanted(void **state)
{
	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	watch_init(&watch, loop, ends[0], on_ready, NULL);
	watch_want(&watch, WATCH_WRITE);
	loop_run(loop);
	assert_int_equal(write(ends[1], "xy", 2), 2);
	watch_want(&watch, WATCH_READ);
	loop_run(loop);
	loop_run(loop);	/* level-triggered: the second byte is still there */
	assert_int_equal(write(ends[1], "z", 1), 1);
	watch_want(&watch, WATCH_READ | WATCH_WRITE);
	loop_run(loop);
	close(ends[1]);
	watch_want(&watch, WATCH_READ);
	loop_run(loop);
	assert_string_equal(story, "write read read both read end ");
	watch_wipe(&watch);
	watch_wipe(&watch);
	close(ends[0]);
}

/* The kernel has forgotten the first one when it was closed, and nobody told it about the second. */
static void
a_descriptor_with_the_number_of_one_that_was_closed_is_watched(void **state)
{
	int before;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	watch_init(&watch, loop, ends[0], on_ready, NULL);
	watch_want(&watch, WATCH_READ);
	assert_int_equal(write(ends[1], "x", 1), 1);
	loop_run(loop);
	watch_wipe(&watch);
	before = ends[0];
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	assert_int_equal(ends[0], before);
	watch_init(&watch, loop, ends[0], on_ready, NULL);
	watch_want(&watch, WATCH_READ);
	assert_int_equal(write(ends[1], "y", 1), 1);
	loop_run(loop);
	assert_string_equal(story, "read read ");
	watch_wipe(&watch);
	close(ends[0]);
	close(ends[1]);
}

static void
a_watch_that_wants_nothing_is_silent(void **state)
{
	struct watch empty = {0};
	struct timer timer;

	(void)state;
	watch_wipe(&empty);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	watch_init(&watch, loop, ends[0], on_ready, NULL);
	watch_want(&watch, WATCH_READ | WATCH_WRITE);
	watch_want(&watch, WATCH_NOTHING);
	assert_int_equal(write(ends[1], "x", 1), 1);
	close(ends[1]);	/* not even a hang-up is told */
	timer_init(&timer, loop, stop, NULL);
	timer_set(&timer, 20);
	loop_run(loop);
	assert_string_equal(story, "");
	watch_wipe(&watch);
	close(ends[0]);
}

/* ---- edges ---- */

static unsigned told_count;
static int refusals;

/* In front of the system's. */
int
epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
	told_count++;
	if (operation == EPOLL_CTL_DEL || refusals == 0)
		return (int)syscall(SYS_epoll_ctl, epoll_fd, operation, fd, event);
	refusals--;
	errno = ENOSPC;
	return -1;
}

/* Reads nothing. */
static void
note_ready(void *arg, unsigned ready)
{
	note(ready == WATCH_READ ? arg : ready == WATCH_WRITE ? "write" : "both");
}

static void
make_edge(struct watch *made, const char *name)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	watch_init(made, loop, ends[0], note_ready, (void *)(uintptr_t)name);
	watch_set_edge(made);
}

static void
end_edge(struct watch *made)
{
	watch_wipe(made);
	close(ends[0]);
	close(ends[1]);
}

static void
write_byte(void)
{
	assert_int_equal(write(ends[1], "x", 1), 1);
}

static void
an_edge_is_told_once(void **state)
{
	(void)state;
	make_edge(&watch, "read");
	write_byte();
	watch_want(&watch, WATCH_READ);
	loop_turn(loop, false);
	loop_turn(loop, false);
	assert_string_equal(story, "read ");
	write_byte();
	loop_turn(loop, false);
	loop_turn(loop, false);
	assert_string_equal(story, "read read ");
	end_edge(&watch);
}

static void
a_watch_may_be_level_triggered_again(void **state)
{
	(void)state;
	make_edge(&watch, "read");
	write_byte();
	watch_want(&watch, WATCH_READ);
	loop_turn(loop, false);
	loop_turn(loop, false);
	assert_string_equal(story, "read ");
	watch_set_level(&watch);
	loop_turn(loop, false);
	loop_turn(loop, false);
	assert_string_equal(story, "read read read ");
	end_edge(&watch);
}

static void
an_edge_that_nobody_wanted_is_told_later(void **state)
{
	(void)state;
	make_edge(&watch, "read");
	watch_want(&watch, WATCH_READ | WATCH_WRITE);
	loop_turn(loop, false);
	watch_want(&watch, WATCH_NOTHING);
	loop_turn(loop, false);
	write_byte();
	loop_turn(loop, false);
	assert_string_equal(story, "write ");
	watch_want(&watch, WATCH_READ);
	loop_turn(loop, false);
	loop_turn(loop, false);
	assert_string_equal(story, "write read ");
	end_edge(&watch);
}

/* The last bytes and the end come as one edge, and who reads the bytes only must hear of the end. */
static void
an_end_is_told_for_as_long_as_it_is_wanted(void **state)
{
	(void)state;
	make_edge(&watch, "end");
	write_byte();
	shutdown(ends[1], SHUT_WR);
	watch_want(&watch, WATCH_READ);
	for (int turn = 0; turn < 3; turn++)
		loop_turn(loop, false);
	assert_string_equal(story, "end end end ");
	watch_want(&watch, WATCH_NOTHING);
	loop_turn(loop, false);
	watch_want(&watch, WATCH_READ);
	loop_turn(loop, false);
	assert_string_equal(story, "end end end end ");
	end_edge(&watch);
}

static void
make_tcp_pair(int pair[2])
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t bytes = sizeof to;
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(listener, (struct sockaddr *)&to, sizeof to), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&to, &bytes), 0);
	pair[1] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(pair[1], (struct sockaddr *)&to, sizeof to), 0);
	pair[0] = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	assert_true(pair[0] >= 0);
	close(listener);
}

static void
await_arrival(void)
{
	int left = 1;

	while (left > 0) {
		assert_int_equal(ioctl(ends[1], SIOCOUTQ, &left), 0);
		sched_yield();
	}
}

/* Takes a part of what it asked for to be all, as a socket's readers do. */
static void
read_some(void *arg, unsigned ready)
{
	char bytes[16];
	ssize_t got = read(ends[0], bytes, sizeof bytes - 1);

	(void)arg;
	(void)ready;
	bytes[got > 0 ? got : 0] = '\0';
	note(bytes);
}

static void
bytes_behind_urgent_ones_are_told_of(void **state)
{
	(void)state;
	make_tcp_pair(ends);
	watch_init(&watch, loop, ends[0], read_some, NULL);
	watch_set_edge(&watch);
	watch_want(&watch, WATCH_READ);
	assert_int_equal(send(ends[1], "a", 1, 0), 1);
	assert_int_equal(send(ends[1], "!", 1, MSG_OOB), 1);
	assert_int_equal(send(ends[1], "b", 1, 0), 1);
	await_arrival();
	for (int turn = 0; turn < 4; turn++)
		loop_turn(loop, false);
	assert_string_equal(story, "a b ");
	assert_int_equal(send(ends[1], "c", 1, 0), 1);
	await_arrival();
	for (int turn = 0; turn < 2; turn++)
		loop_turn(loop, false);
	assert_string_equal(story, "a b c ");
	end_edge(&watch);
}

/* What was not read when the first was told is no edge; what came when nobody watched is one. */
static void
a_watch_goes_on_where_another_one_was(void **state)
{
	struct watch next;

	(void)state;
	make_edge(&watch, "first");
	write_byte();
	watch_want(&watch, WATCH_READ);
	loop_turn(loop, false);
	told_count = 0;
	watch_hand_on(&watch);
	watch_go_on(&next, loop, ends[0], note_ready, "next");
	watch_set_edge(&next);
	watch_want(&next, WATCH_READ);
	loop_turn(loop, false);
	assert_string_equal(story, "first ");
	write_byte();
	loop_turn(loop, false);
	assert_string_equal(story, "first next ");
	assert_int_equal(told_count, 0);
	end_edge(&next);
}

/* Its number is another descriptor's by then, and the kernel knows nothing of that one. */
static void
what_was_handed_on_and_closed_is_not_gone_on_with(void **state)
{
	struct watch new, next;
	int before;

	(void)state;
	make_edge(&watch, "first");
	watch_want(&watch, WATCH_READ);
	loop_turn(loop, false);
	watch_hand_on(&watch);
	before = ends[0];
	close(ends[0]);
	close(ends[1]);
	make_edge(&new, "new");
	assert_int_equal(ends[0], before);
	watch_hand_on(&new);
	watch_go_on(&next, loop, ends[0], note_ready, "next");
	watch_set_edge(&next);
	watch_want(&next, WATCH_READ);
	write_byte();
	loop_turn(loop, false);
	assert_string_equal(story, "next ");
	end_edge(&next);
}

/* Nobody went on with it in the turn in which it was handed on: what was known of it is not true of the
 * next one with its number. */
static void
an_end_is_not_told_of_the_next_with_its_number(void **state)
{
	struct watch next;
	int before;

	(void)state;
	make_edge(&watch, "end");
	shutdown(ends[1], SHUT_WR);
	watch_want(&watch, WATCH_READ);
	loop_turn(loop, false);
	before = ends[0];
	watch_hand_on(&watch);
	close(ends[0]);
	close(ends[1]);
	loop_turn(loop, false);
	make_edge(&next, "next");
	assert_int_equal(ends[0], before);
	watch_want(&next, WATCH_READ);
	for (int turn = 0; turn < 3; turn++)
		loop_turn(loop, false);
	assert_string_equal(story, "end ");
	end_edge(&next);
}

static void
what_was_closed_is_no_longer_told_to_the_kernel(void **state)
{
	struct watch next;
	int before;

	(void)state;
	make_edge(&watch, "first");
	watch_want(&watch, WATCH_READ);
	loop_turn(loop, false);
	told_count = 0;
	before = ends[0];
	end_edge(&watch);
	loop_closed(loop, before);
	loop_turn(loop, false);
	assert_int_equal(told_count, 0);
	make_edge(&next, "next");
	assert_int_equal(ends[0], before);
	watch_want(&next, WATCH_READ);
	write_byte();
	loop_turn(loop, false);
	assert_string_equal(story, "next ");
	assert_int_equal(told_count, 1);
	end_edge(&next);
}

static struct watch replaced;

/* The descriptor that is ready, too, is closed, and another one with its number is watched. */
static void
replace_the_other(void *arg, unsigned ready)
{
	int *fd = arg, pair[2];

	(void)ready;
	note("replaces");
	watch_wipe(&replaced);
	close(*fd);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(pair[0], *fd);
	watch_init(&replaced, loop, pair[0], note_ready, "replaced");
	watch_want(&replaced, WATCH_READ);
	watch_want(&watch, WATCH_NOTHING);
	*fd = pair[1];
}

static void
what_was_ready_is_not_told_of_the_next_with_its_number(void **state)
{
	int pair[2], fd;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	write_byte();
	assert_int_equal(write(pair[1], "x", 1), 1);
	fd = pair[0];
	watch_init(&watch, loop, ends[0], replace_the_other, &fd);
	watch_init(&replaced, loop, pair[0], note_ready, "replaced");
	/* The one that is told last is the first of the list. */
	watch_want(&replaced, WATCH_READ);
	watch_want(&watch, WATCH_READ);
	loop_turn(loop, false);
	loop_turn(loop, false);
	assert_string_equal(story, "replaces ");
	watch_wipe(&replaced);
	close(pair[0]);
	close(pair[1]);
	close(fd);
	end_edge(&watch);
}

static void
wipe_the_other(void *arg, unsigned ready)
{
	(void)ready;
	note("one");
	watch_wipe(arg);
	loop_stop(loop);
}

static void
a_watch_wiped_in_the_same_turn_is_not_called(void **state)
{
	struct watch a, b;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	watch_init(&a, loop, pair[0], wipe_the_other, &b);
	watch_init(&b, loop, pair[1], wipe_the_other, &a);
	watch_want(&a, WATCH_WRITE);
	watch_want(&b, WATCH_WRITE);
	loop_run(loop);
	assert_string_equal(story, "one ");
	watch_wipe(&a);
	watch_wipe(&b);
	close(pair[0]);
	close(pair[1]);
}

static struct task first, second, third;

static void
queue_more(void *arg)
{
	note(arg);
	loop_later(loop, &third);
	loop_later(loop, &first);	/* itself, for the next turn */
	loop_forget(loop, &second);	/* of this very pass */
	if (strlen(story) > 12)
		loop_stop(loop);
}

static void
tasks_queued_by_tasks_run_in_the_next_turn_without_waiting(void **state)
{
	uint64_t began = clock_ms();

	(void)state;
	task_init(&first, queue_more, "1");
	task_init(&second, note_task, "2");
	task_init(&third, note_task, "3");
	loop_later(loop, &first);
	loop_later(loop, &second);
	loop_later(loop, &second);
	loop_run(loop);
	assert_string_equal(story, "1 3 1 3 1 3 1 ");
	assert_true(clock_ms() - began < 1000);
	loop_forget(loop, &first);
	loop_forget(loop, &first);
	loop_forget(loop, &third);
}

static struct call self_call;
static bool was_woken;

static void
note_call(void *arg)
{
	note(arg);
	loop_stop(loop);
}

static void
call_itself(void *arg)
{
	uint64_t count;

	(void)arg;
	loop_call(loop, &self_call, note_call, "called");
	was_woken = read(loop->wake_fd, &count, sizeof count) > 0;
	note("later");
}

/* The kernel has no part in it, since the loop is awake; and the call does not run inside. */
static void
calls_itself_without_the_kernel(void **state)
{
	struct timer timer;

	(void)state;
	timer_init(&timer, loop, call_itself, NULL);
	timer_set(&timer, 0);
	loop_run(loop);
	assert_string_equal(story, "later called ");
	assert_false(was_woken);
}

static struct timer in_between;

static void *
call_from_outside(void *unused)
{
	loop_call(loop, &self_call, note_call, "second");
	return unused;
}

/* The loop gathers by now. */
static void
have_it_called_again(void *arg)
{
	pthread_t thread;
	uint64_t count;

	(void)arg;
	assert_int_equal(pthread_create(&thread, NULL, call_from_outside, NULL), 0);
	pthread_join(thread, NULL);
	was_woken = read(loop->wake_fd, &count, sizeof count) > 0;
	timer_set(&in_between, 1);
}

static void
note_and_go_on(void *arg)
{
	note(arg);
	loop_later(loop, &first);
}

/* Both are due in the order of their times, however slow the machine is. */
static void
gathers_calls_that_come_close_upon_one(void **state)
{
	struct call call;

	(void)state;
	loop_gather(loop, 100);
	task_init(&first, have_it_called_again, NULL);
	timer_init(&in_between, loop, note_task, "timer");
	loop_call(loop, &call, note_and_go_on, "first");
	loop_run(loop);
	assert_string_equal(story, "first timer second ");
	assert_false(was_woken);
}

static void
queue_and_stop(void *arg)
{
	(void)arg;
	note("timer");
	loop_later(loop, &first);
	loop_stop(loop);
}

static void
tasks_run_at_the_end_of_the_turn_that_stops(void **state)
{
	struct timer timer;

	(void)state;
	task_init(&first, note_task, "task");
	timer_init(&timer, loop, queue_and_stop, NULL);
	timer_set(&timer, 0);
	loop_run(loop);
	assert_string_equal(story, "timer task ");
}

struct loop_owner {
	struct task reap;
};

static void
reap(void *arg)
{
	note("reaped");
	free(arg);
}

static void
a_task_may_free_what_holds_it_and_the_loop_runs_what_is_left(void **state)
{
	struct loop_owner *owner = calloc(1, sizeof *owner);

	(void)state;
	task_init(&owner->reap, reap, owner);
	loop_later(loop, &owner->reap);
	loop_free(loop);
	loop = NULL;
	assert_string_equal(story, "reaped ");
}

struct letter {
	struct call call;
	int sender, number;
};

static int expected[SENDERS], delivered;
static bool out_of_order;

static void
deliver(void *data)
{
	struct letter *letter = data;

	if (letter->number != expected[letter->sender]++)
		out_of_order = true;
	if (++delivered == SENDERS * MESSAGES)
		loop_stop(loop);
	free(letter);
}

static void
post_letter(int sender, int number)
{
	struct letter *letter = calloc(1, sizeof *letter);

	letter->sender = sender;
	letter->number = number;
	loop_call(loop, &letter->call, deliver, letter);
}

static void *
send_letters(void *arg)
{
	for (int i = 0; i < MESSAGES; i++)
		post_letter(*(int *)arg, i);
	return NULL;
}

static void
messages_of_many_threads_arrive_in_order_per_sender(void **state)
{
	static int numbers[SENDERS] = {0, 1, 2, 3};
	pthread_t threads[SENDERS];

	(void)state;
	memset(expected, 0, sizeof expected);
	delivered = 0;
	for (int i = 0; i < SENDERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, send_letters, &numbers[i]), 0);
	loop_run(loop);
	for (int i = 0; i < SENDERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(delivered, SENDERS * MESSAGES);
	assert_false(out_of_order);
}

static void
messages_are_delivered_even_when_the_loop_ends(void **state)
{
	(void)state;
	memset(expected, 0, sizeof expected);
	delivered = 0;
	post_letter(0, 0);
	post_letter(0, 1);
	loop_free(loop);
	loop = NULL;
	assert_int_equal(delivered, 2);
}

static void *
stop_from_outside(void *arg)
{
	(void)arg;
	usleep(20000);
	loop_stop(loop);
	return NULL;
}

static void
another_thread_stops_a_loop_that_waits(void **state)
{
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, stop_from_outside, NULL), 0);
	loop_run(loop);
	pthread_join(thread, NULL);
	loop_stop(loop);
	loop_run(loop);	/* a stop before the run counts too */
}

static void
on_signal(void *arg, int number)
{
	note(arg);
	if (number == SIGTERM)
		loop_stop(loop);
}

static void
signals_come_as_calls_of_the_loop(void **state)
{
	(void)state;
	assert_true(loop_on_signal(loop, SIGHUP, on_signal, "hup"));
	assert_true(loop_on_signal(loop, SIGTERM, on_signal, "term"));
	raise(SIGHUP);
	raise(SIGTERM);
	loop_run(loop);
	assert_non_null(strstr(story, "hup "));
	assert_non_null(strstr(story, "term "));
}

static void
what_the_kernel_refuses_to_watch_is_told_by_the_log(void **state)
{
	FILE *log = tmpfile();
	int saved = dup(STDERR_FILENO), fd = dup(saved);
	char text[1024];
	struct watch broken;
	ssize_t bytes;

	(void)state;
	assert_non_null(log);
	close(fd);
	dup2(fileno(log), STDERR_FILENO);
	watch_init(&broken, loop, fd, NULL, NULL);
	watch_want(&broken, WATCH_READ);
	loop_turn(loop, false); /* what a turn has changed is told before the next one waits */
	watch_wipe(&broken);
	dup2(saved, STDERR_FILENO);
	close(saved);
	bytes = pread(fileno(log), text, sizeof text - 1, 0);
	assert_true(bytes > 0);
	text[bytes] = '\0';
	fclose(log);
	assert_non_null(strstr(text, " error watch-failed: the kernel refused to watch a descriptor"));
	assert_non_null(strstr(text, "Bad file descriptor"));
}

static void
on_refused(void *arg, unsigned ready)
{
	const int *fd = arg;
	char byte;

	assert_int_equal(ready, WATCH_READ);
	assert_int_equal(read(*fd, &byte, 1), 1);
	note("byte");
}

static void
too_late(void *arg)
{
	(void)arg;
	fail_msg("it waits for ever");
}

static void
turn_until(const char *wanted)
{
	while (refusals > 0 || strcmp(story, wanted) != 0)
		loop_turn(loop, true);
}

static void
what_the_kernel_refuses_to_watch_is_looked_at_until_it_consents(void **state)
{
	struct watch poor;
	struct timer guard;
	int pair[2];

	(void)state;
	assert_int_equal(pipe2(pair, O_NONBLOCK), 0);
	timer_init(&guard, loop, too_late, NULL);
	timer_set(&guard, 20000);
	loop_turn(loop, false); /* its own descriptor is watched from here on */
	refusals = 3;
	watch_init(&poor, loop, pair[0], on_refused, &pair[0]);
	watch_want(&poor, WATCH_READ);
	loop_turn(loop, false);
	assert_int_equal(refusals, 2);
	assert_int_equal(write(pair[1], "x", 1), 1);
	while (story[0] == '\0')
		loop_turn(loop, true);
	assert_true(refusals > 0); /* the kernel has not told it */
	turn_until("byte ");
	assert_int_equal(write(pair[1], "y", 1), 1);
	turn_until("byte byte ");
	timer_clear(&guard);
	watch_wipe(&poor);
	close(pair[0]);
	close(pair[1]);
}

#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	LOOP_TEST(timers_fire_in_order_and_once),
	LOOP_TEST(a_cleared_timer_does_not_fire_and_a_set_one_starts_anew),
	LOOP_TEST(a_watch_tells_what_is_ready_and_wanted),
	LOOP_TEST(a_descriptor_with_the_number_of_one_that_was_closed_is_watched),
	LOOP_TEST(a_watch_that_wants_nothing_is_silent),
	LOOP_TEST(an_edge_is_told_once),
	LOOP_TEST(a_watch_may_be_level_triggered_again),
	LOOP_TEST(an_edge_that_nobody_wanted_is_told_later),
	LOOP_TEST(an_end_is_told_for_as_long_as_it_is_wanted),
	LOOP_TEST(bytes_behind_urgent_ones_are_told_of),
	LOOP_TEST(a_watch_goes_on_where_another_one_was),
	LOOP_TEST(what_was_handed_on_and_closed_is_not_gone_on_with),
	LOOP_TEST(an_end_is_not_told_of_the_next_with_its_number),
	LOOP_TEST(what_was_closed_is_no_longer_told_to_the_kernel),
	LOOP_TEST(what_was_ready_is_not_told_of_the_next_with_its_number),
	LOOP_TEST(a_watch_wiped_in_the_same_turn_is_not_called),
	LOOP_TEST(tasks_queued_by_tasks_run_in_the_next_turn_without_waiting),
	LOOP_TEST(calls_itself_without_the_kernel),
	LOOP_TEST(gathers_calls_that_come_close_upon_one),
	LOOP_TEST(tasks_run_at_the_end_of_the_turn_that_stops),
	LOOP_TEST(a_task_may_free_what_holds_it_and_the_loop_runs_what_is_left),
	LOOP_TEST(messages_of_many_threads_arrive_in_order_per_sender),
	LOOP_TEST(messages_are_delivered_even_when_the_loop_ends),
	LOOP_TEST(another_thread_stops_a_loop_that_waits),
	LOOP_TEST(signals_come_as_calls_of_the_loop),
	LOOP_TEST(what_the_kernel_refuses_to_watch_is_told_by_the_log),
	LOOP_TEST(what_the_kernel_refuses_to_watch_is_looked_at_until_it_consents),
};

RUN_TESTS("loop", tests)
