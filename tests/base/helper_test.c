/* Tests of base/helper: processes that begin, die, rest, and end with who has started them. */
#include "base/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "child.h"
#include "helpers.h"

enum { PATIENCE_MS = 60000, TEXT = 512 };

static struct helper *helper;

static int
tear_down(void **state)
{
	(void)state;
	helper_end(helper);
	helper = NULL;
	return 0;
}

/* ---- the helpers of these tests ---- */

static void
answer(int way, const char *text)
{
	(void)!send(way, text, strlen(text), MSG_NOSIGNAL);
}

static void
say_pid(int way)
{
	char text[TEXT];

	snprintf(text, sizeof text, "%d", (int)getpid());
	answer(way, text);
}

/* Which descriptors there are, as "0 1 2 3". */
static void
say_descriptors(int way)
{
	char text[TEXT] = "";

	for (int fd = 0; fd < 1000; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			snprintf(text + strlen(text), sizeof text - strlen(text), "%s%d",
			    fd > 0 ? " " : "", fd);
	answer(way, text);
}

static void
say_file(int way, const char *path)
{
	char text[TEXT] = "";
	int fd = open(path, O_RDONLY);

	(void)!read(fd, text, sizeof text - 1);
	text[strcspn(text, "\n")] = '\0';
	answer(way, text);
}

/* Does what the messages say, by any way, until all of them are closed. */
static int
obey(void *arg, const int *ways, unsigned count)
{
	struct pollfd waits[2];
	unsigned open = count;

	for (unsigned i = 0; i < count; i++)
		waits[i] = (struct pollfd){ .fd = ways[i], .events = POLLIN };
	while (open > 0 && poll(waits, count, -1) > 0) {
		for (unsigned i = 0; i < count; i++) {
			char order[TEXT] = "";
			int way = waits[i].fd;

			if (waits[i].revents == 0)
				continue;
			if (recv(way, order, sizeof order - 1, 0) <= 0) {
				waits[i].fd = -1;
				open--;
			} else if (strcmp(order, "die") == 0)
				raise(SIGKILL);
			else if (strcmp(order, "fail") == 0)
				return 3;
			else if (strcmp(order, "rest") == 0) {
				say_pid(way);
				return 0;
			} else if (strcmp(order, "descriptors") == 0)
				say_descriptors(way);
			else if (strcmp(order, "name") == 0)
				say_file(way, "/proc/self/comm");
			else if (strcmp(order, "title") == 0)
				say_file(way, "/proc/self/cmdline");
			else if (strcmp(order, "privileges") == 0)
				answer(way,
				    prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? "none" : "some");
			else if (strcmp(order, "arg") == 0)
				answer(way, arg);
			else
				say_pid(way);
		}
	}
	return 0;
}

static int
greet_and_obey(void *arg, const int *ways, unsigned count)
{
	say_pid(ways[0]);
	return obey(arg, ways, count);
}

static int
read_nothing(void *arg, const int *ways, unsigned count)
{
	struct pollfd wait = { .fd = ways[0] };

	(void)arg;
	(void)count;
	poll(&wait, 1, -1); /* for the end of the other side */
	return 0;
}

/* ---- talking with them ---- */

static void
start(const struct helper_plan *plan)
{
	helper = helper_start(plan);
	assert_non_null(helper);
}

static void
start_obedient(void)
{
	start(&(struct helper_plan){
	    .name = "obedient", .ways = 2, .run = obey, .arg = (void *)(uintptr_t) "what was given" });
}

static void
say(unsigned way, const char *order)
{
	assert_int_equal(
	    send(helper_way(helper, way), order, strlen(order), MSG_NOSIGNAL), (ssize_t)strlen(order));
}

static void
hear(unsigned way, char text[TEXT])
{
	struct pollfd wait = { .fd = helper_way(helper, way), .events = POLLIN };
	ssize_t got;

	assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
	got = recv(wait.fd, text, TEXT - 1, 0);
	assert_true(got > 0);
	text[got] = '\0';
}

static void
assert_answer(const char *order, const char *expected)
{
	char text[TEXT];

	say(0, order);
	hear(0, text);
	assert_string_equal(text, expected);
}

static pid_t
pid_of_helper(void)
{
	char text[TEXT];

	say(0, "pid");
	hear(0, text);
	return (pid_t)atoi(text);
}

static enum helper_event
next_news(void)
{
	struct pollfd wait = { .fd = helper_news(helper), .events = POLLIN };

	assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
	return helper_hear(helper);
}

/* ---- tests ---- */

static void
answers_by_each_of_its_ways(void **state)
{
	char text[TEXT];

	(void)state;
	start_obedient();
	for (unsigned way = 0; way < 2; way++) {
		say(way, "arg");
		hear(way, text);
		assert_string_equal(text, "what was given");
	}
	assert_int_equal(helper_hear(helper), HELPER_FINE);
}

static void
has_a_name_of_its_own(void **state)
{
	(void)state;
	start_obedient();
	assert_answer("name", "obedient");
	assert_answer("title", "helper_test: obedient");
}

static void
has_no_descriptor_but_its_own(void **state)
{
	int kept = open("/dev/null", O_RDONLY | O_CLOEXEC), other = open("/dev/null", O_RDONLY),
	    high = fcntl(kept, F_DUPFD, 900), both[] = { kept, -1, high };

	(void)state;
	start(&(struct helper_plan){
	    .name = "closed", .ways = 1, .run = obey, .keep = both, .keep_count = 3 });
	close(kept);
	close(other);
	close(high);
	assert_answer("descriptors", "0 1 2 3 4 6");
}

static void
can_gain_no_privilege(void **state)
{
	(void)state;
	start_obedient();
	assert_answer("privileges", "none");
}

/* Nothing runs beside the keeper before that, and when the helper rests. */
static void
begins_with_a_message(void **state)
{
	struct pollfd ended = { .events = POLLIN };
	char text[TEXT];
	pid_t keeper, first;

	(void)state;
	start_obedient();
	keeper = child_of(getpid());
	assert_int_equal(child_of(keeper), 0);
	first = pid_of_helper();
	assert_int_equal(child_of(keeper), first);
	ended.fd = pidfd_open(first, 0);
	say(0, "rest");
	hear(0, text);
	assert_int_equal(poll(&ended, 1, PATIENCE_MS), 1);
	assert_int_not_equal(pid_of_helper(), first);
	assert_int_equal(helper_hear(helper), HELPER_FINE);
	close(ended.fd);
}

static void
an_eager_one_begins_at_once_and_after_a_death(void **state)
{
	char first[TEXT], second[TEXT];

	(void)state;
	start(&(struct helper_plan){ .name = "eager", .ways = 1, .is_eager = true, .run = greet_and_obey });
	hear(0, first);
	say(0, "die");
	hear(0, second);
	assert_string_not_equal(first, second);
	assert_int_equal(next_news(), HELPER_DIED);
}

static void
one_that_dies_is_told_and_begun_again(void **state)
{
	pid_t first;

	(void)state;
	start_obedient();
	first = pid_of_helper();
	say(0, "die");
	assert_int_equal(next_news(), HELPER_DIED);
	assert_int_not_equal(pid_of_helper(), first);
	say(1, "fail");
	assert_int_equal(next_news(), HELPER_DIED);
	assert_true(pid_of_helper() > 0);
	assert_int_equal(helper_hear(helper), HELPER_FINE);
}

static void
a_program_that_cannot_be_executed_is_told(void **state)
{
	(void)state;
	start(&(struct helper_plan){ .name = "nothing", .ways = 1, .program = "/nonexistent/program" });
	say(0, "go");
	assert_int_equal(next_news(), HELPER_DIED);
}

static void
a_keeper_that_dies_takes_its_helper_along(void **state)
{
	struct pollfd wait = { .events = POLLIN };
	char text[TEXT];

	(void)state;
	start_obedient();
	assert_true(pid_of_helper() > 0);
	kill_child(child_of(getpid()));
	assert_int_equal(next_news(), HELPER_LOST);
	wait.fd = helper_way(helper, 0);
	assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
	assert_int_equal(recv(wait.fd, text, sizeof text, 0), 0);
}

/* What asks a group of processes to stop is for the daemon. */
static void
does_not_hear_the_signals_of_a_stop(void **state)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1 };
	pid_t pid;

	(void)state;
	start_obedient();
	pid = pid_of_helper();
	for (size_t i = 0; i < COUNT(numbers); i++)
		kill(pid, numbers[i]);
	assert_int_equal(pid_of_helper(), pid);
}

static void
what_it_does_not_read_is_bounded(void **state)
{
	char message[100] = "";
	unsigned sent = 0;

	(void)state;
	start(&(struct helper_plan){ .name = "deaf", .ways = 1, .run = read_nothing });
	while (sent < 10000 && send(helper_way(helper, 0), message, sizeof message, MSG_NOSIGNAL) > 0)
		sent++;
	assert_int_equal(errno, EAGAIN);
	assert_in_range(sent, 64, 1000);
}

/* Of a daemon that is killed: nobody has the other end of the pipe any more then. */
static void
ends_with_the_daemon(void **state)
{
	struct pollfd gone;
	int ends[2];
	pid_t daemon;
	char byte;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	daemon = fork();
	if (daemon == 0) {
		start(&(struct helper_plan){ .name = "kept", .ways = 1, .run = obey, .keep = &ends[1], .keep_count = 1 });
		(void)!write(ends[1], pid_of_helper() > 0 ? "+" : "-", 1);
		pause();
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	assert_int_equal(byte, '+');
	gone = (struct pollfd){ .fd = ends[0], .events = POLLIN };
	assert_int_equal(poll(&gone, 1, 0), 0);
	kill(daemon, SIGKILL);
	assert_int_equal(waitpid(daemon, NULL, 0), daemon);
	assert_int_equal(poll(&gone, 1, PATIENCE_MS), 1);
	assert_int_equal(read(ends[0], &byte, 1), 0);
	close(ends[0]);
}

#define HELPER_TEST(name) cmocka_unit_test_teardown(name, tear_down)

static const struct CMUnitTest tests[] = {
	HELPER_TEST(answers_by_each_of_its_ways),
	HELPER_TEST(has_a_name_of_its_own),
	HELPER_TEST(has_no_descriptor_but_its_own),
	HELPER_TEST(can_gain_no_privilege),
	HELPER_TEST(begins_with_a_message),
	HELPER_TEST(an_eager_one_begins_at_once_and_after_a_death),
	HELPER_TEST(one_that_dies_is_told_and_begun_again),
	HELPER_TEST(a_program_that_cannot_be_executed_is_told),
	HELPER_TEST(a_keeper_that_dies_takes_its_helper_along),
	HELPER_TEST(does_not_hear_the_signals_of_a_stop),
	HELPER_TEST(what_it_does_not_read_is_bounded),
	HELPER_TEST(ends_with_the_daemon),
};

RUN_TESTS("helper processes", tests)
