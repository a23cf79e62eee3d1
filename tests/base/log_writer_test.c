/* Tests of the log's writer: pipes that nobody reads, losses, and crashes. */
#include "base/log.h"

#include <assert.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/thread.h"
#include "helpers.h"

enum { OUTPUT_MOST = 16 << 20, THREADS = 4, LINES = 2000, STUCK_LINES = 60000, AUDIT_LINES = 1000,
	LINES_MOST = 400000, TIME_BYTES = 21 };

static char output[OUTPUT_MOST];
static size_t output_bytes;
static char *lines[LINES_MOST];
static size_t line_count;
static int reading_end, saved;

/* Standard error becomes a pipe that nobody reads yet. */
static void
enter_pipe(int flags)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC | flags), 0);
	saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	reading_end = ends[0];
	fcntl(reading_end, F_SETFL, 0);
	output_bytes = 0;
}

static void *
read_all(void *unused)
{
	ssize_t bytes;

	while ((bytes = read(reading_end, output + output_bytes, sizeof output - 1 - output_bytes)) > 0)
		output_bytes += (size_t)bytes;
	output[output_bytes] = '\0';
	return unused;
}

static pthread_t
start_reading(void)
{
	pthread_t reader;

	assert_int_equal(pthread_create(&reader, NULL, read_all, NULL), 0);
	return reader;
}

static void
leave_pipe(void)
{
	dup2(saved, STDERR_FILENO);
	close(saved);
}

/* Everything must be whole lines. */
static void
split(void)
{
	char *rest = output;

	assert_true(output_bytes > 0 && output[output_bytes - 1] == '\n');
	output[output_bytes - 1] = '\0';
	for (line_count = 0; line_count < LINES_MOST && rest; line_count++)
		lines[line_count] = strsep(&rest, "\n");
}

static void
finish_reading(pthread_t reader)
{
	leave_pipe();
	pthread_join(reader, NULL);
	close(reading_end);
	split();
}

/* Ends the writer with somebody reading; what was written is in `lines`. */
static void
stop_and_read(void)
{
	pthread_t reader = start_reading();

	log_stop();
	finish_reading(reader);
}

static uint64_t
real_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static unsigned
lines_with(const char *text)
{
	unsigned count = 0;

	for (size_t i = 0; i < line_count; i++)
		count += strstr(lines[i], text) != NULL;
	return count;
}

/* The sum of a number that follows `key` in all lines. */
static unsigned long
sum_of(const char *key)
{
	unsigned long sum = 0;

	for (size_t i = 0; i < line_count; i++) {
		const char *at = strstr(lines[i], key);

		sum += at ? strtoul(at + strlen(key), NULL, 10) : 0;
	}
	return sum;
}

static int
set_up(void **state)
{
	(void)state;
	alarm(60);
	log_init("test", LOG_INFO, LOG_TEXT);
	return 0;
}

static void
a_pipe_that_nobody_reads_stops_nobody(void **state)
{
	(void)state;
	enter_pipe(0);
	assert_true(log_start());
	for (int i = 0; i < STUCK_LINES; i++)
		log_event(LOG_INFO, "flow-closed", "one of very many", log_i64("i", i));
	stop_and_read();
	assert_true(lines_with("flow-closed") > 10000);
	assert_int_equal(lines_with("flow-closed") + sum_of(" lines="), STUCK_LINES);
	assert_int_equal(sum_of("audit_lines="), 0);
}

static void
audit_events_are_dropped_last(void **state)
{
	(void)state;
	enter_pipe(0);
	assert_true(log_start());
	for (int i = 0; i < STUCK_LINES; i++)
		log_event(LOG_INFO, "flow-closed", "one of very many", log_i64("i", i));
	for (int i = 0; i < AUDIT_LINES; i++)
		log_audit(LOG_INFO, "session-up", "this must be known", log_i64("i", i));
	for (int i = 0; i < STUCK_LINES; i++)
		log_event(LOG_INFO, "flow-closed", "one of very many", log_i64("i", i));
	stop_and_read();
	assert_int_equal(lines_with("session-up"), AUDIT_LINES);
	assert_int_equal(lines_with("flow-closed") + sum_of(" lines="), 2 * STUCK_LINES);
	assert_int_equal(sum_of("audit_lines="), 0);
}

static void
audit_events_that_are_dropped_are_told(void **state)
{
	(void)state;
	enter_pipe(0);
	assert_true(log_start());
	for (int i = 0; i < STUCK_LINES; i++)
		log_audit(LOG_INFO, "session-up", "far too much must be known", log_i64("i", i));
	stop_and_read();
	assert_true(sum_of("audit_lines=") > 0);
	assert_int_equal(sum_of("audit_lines="), sum_of(" lines="));
	assert_int_equal(lines_with("session-up") + sum_of("audit_lines="), STUCK_LINES);
}

/* A disk that is full, and then is not. */
static void
what_a_full_disk_takes_is_told_by_kind(void **state)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC), pipe_end;

	(void)state;
	enter_pipe(0);
	pipe_end = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	dup2(full, STDERR_FILENO);
	close(full);
	assert_true(log_start());
	for (int i = 0; i < 10; i++)
		log_audit(LOG_INFO, "session-up", NULL, log_i64("i", i));
	for (int i = 0; i < 5; i++)
		log_event(LOG_INFO, "flow-closed", NULL, log_i64("i", i));
	log_stop();
	dup2(pipe_end, STDERR_FILENO);
	close(pipe_end);
	assert_true(log_start());
	stop_and_read();
	assert_int_equal(sum_of(" lines="), 15);
	assert_int_equal(sum_of("audit_lines="), 10);
}

static off_t
bytes_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

/* A limit of the size of files is met as the end of a disk: in the middle of a line, and again with each
 * try. */
static void
a_disk_that_is_full_for_a_while_costs_no_line(void **state)
{
	enum { FULL = 1000, WHOLE = 40 };
	const struct timespec pause = { .tv_nsec = 1000000 };
	char path[] = "/tmp/valise-log.XXXXXX";
	struct rlimit before, full;
	int file = mkostemp(path, O_CLOEXEC | O_APPEND);

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	full = (struct rlimit){ .rlim_cur = FULL, .rlim_max = before.rlim_max };
	enter_pipe(0);
	dup2(file, STDERR_FILENO);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
	assert_true(log_start());
	for (int i = 0; i < WHOLE; i++)
		log_event(LOG_INFO, "flow-closed", "one of many", log_i64("i", i));
	while (bytes_of(path) < FULL)
		nanosleep(&pause, NULL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	log_stop();
	leave_pipe();
	close(reading_end);
	reading_end = open(path, O_RDONLY | O_CLOEXEC);
	read_all(NULL);
	close(reading_end);
	close(file);
	unlink(path);
	split();
	assert_int_equal(line_count, WHOLE + 1);
	for (int i = 0; i < WHOLE; i++) {
		char end[16];

		snprintf(end, sizeof end, "many i=%d", i);
		assert_in_range(lines_with(end), 1, WHOLE);
	}
	assert_int_equal(lines_with("log-lines-dropped"), 0);
}

static void *
log_without_end(void *stop)
{
	while (real_ms() < *(uint64_t *)stop)
		log_event(LOG_INFO, "flow-closed", "one of very many");
	return NULL;
}

static void *
log_now_and_then(void *stop)
{
	const struct timespec rest = {.tv_nsec = 10000};

	while (real_ms() < *(uint64_t *)stop) {
		log_event(LOG_INFO, "flow-closed", "one of many");
		nanosleep(&rest, NULL);
	}
	return NULL;
}

/* A reader that is slower than the lines come. */
static void
losses_are_told_once_a_second(void **state)
{
	uint64_t stop_ms = real_ms() + 2500;
	pthread_t logger;

	(void)state;
	enter_pipe(0);
	assert_true(log_start());
	assert_int_equal(pthread_create(&logger, NULL, log_without_end, &stop_ms), 0);
	while (real_ms() < stop_ms) {
		const struct timespec rest = {.tv_nsec = 1000000};

		ssize_t bytes = read(reading_end, output + output_bytes, 4096);

		assert_true(bytes > 0);
		output_bytes += (size_t)bytes;
		nanosleep(&rest, NULL);
	}
	pthread_join(logger, NULL);
	stop_and_read();
	assert_in_range(lines_with("log-lines-dropped"), 2, 4);
}

/* In a process of its own, since the writer is lost. */
static void
stops_within_a_second_for_a_pipe_that_nobody_reads(void **state)
{
	uint64_t begin_ms = real_ms();
	pid_t child;
	int status;

	(void)state;
	enter_pipe(0);
	child = fork();
	if (child == 0) {
		log_start();
		for (int i = 0; i < STUCK_LINES; i++)
			log_event(LOG_INFO, "flow-closed", "one of very many");
		begin_ms = real_ms();
		log_stop();
		for (int i = 0; i < STUCK_LINES; i++)
			log_event(LOG_INFO, "late", "nobody waits for this either");
		_exit(real_ms() - begin_ms < 2000 ? 0 : 1);
	}
	leave_pipe();
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close(reading_end);
}

static void *
log_lines(void *arg)
{
	for (int i = 0; i < LINES; i++)
		log_event(LOG_INFO, "line", "from a thread", log_str("who", arg), log_i64("i", i));
	return NULL;
}

static void
expect_lines_of(const char *who)
{
	char wanted[64];
	size_t at = 0;

	for (int i = 0; i < LINES; i++) {
		snprintf(wanted, sizeof wanted, "info line: from a thread who=%s i=%d", who, i);
		while (at < line_count && strcmp(lines[at] + TIME_BYTES, wanted) != 0)
			at++;
		assert_true(at < line_count);
	}
}

static void
keeps_the_lines_of_each_thread_whole_and_in_order(void **state)
{
	static char names[THREADS][2] = {"a", "b", "c", "d"};
	pthread_t threads[THREADS], reader;

	(void)state;
	enter_pipe(0);
	reader = start_reading();
	assert_true(log_start());
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, log_lines, names[i]), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	log_stop();
	finish_reading(reader);
	assert_int_equal(line_count, THREADS * LINES);
	for (int i = 0; i < THREADS; i++)
		expect_lines_of(names[i]);
}

static void
loses_nothing_to_a_pipe_that_does_not_block(void **state)
{
	static char name[] = "a";

	(void)state;
	enter_pipe(O_NONBLOCK);
	assert_true(log_start());
	log_lines(name);
	stop_and_read();
	expect_lines_of(name);
}

static void
starts_again_after_a_stop(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		enter_pipe(0);
		assert_true(log_start());
		log_event(LOG_INFO, "once", "again", log_i64("i", i));
		stop_and_read();
		assert_int_equal(lines_with("once: again"), 1);
	}
	enter_pipe(0);
	log_event(LOG_INFO, "direct", "after the stop");
	stop_and_read();
	assert_int_equal(lines_with("direct"), 1);
}

static void
say_and_abort(void)
{
	log_start();
	log_audit(LOG_INFO, "start", NULL);
	for (int i = 0; i < LINES; i++)
		log_event(LOG_INFO, "before", "the end", log_i64("i", i));
	abort();
}

static void
say_and_claim(void)
{
	log_start();
	for (int i = 0; i < LINES; i++)
		log_event(LOG_INFO, "before", "the end", log_i64("i", i));
	assert(output_bytes == 1);
	_exit(0);
}

static void
what_an_assert_says_is_the_last_line(void **state)
{
	pthread_t reader;
	pid_t child;
	int status;

	(void)state;
	enter_pipe(0);
	child = fork();
	if (child == 0)
		say_and_claim();
	reader = start_reading();
	assert_int_equal(waitpid(child, &status, 0), child);
	finish_reading(reader);
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_int_equal(lines_with("before: the end"), LINES);
	assert_non_null(strstr(lines[line_count - 1], "error assertion-failed: "));
	assert_non_null(strstr(lines[line_count - 1], "say_and_claim: Assertion `output_bytes == 1' failed"));
}

/* For a process that must have no thread yet. */
static void
lines_wait_until_the_writer_starts(void **state)
{
	char byte;

	(void)state;
	enter_pipe(0);
	fcntl(reading_end, F_SETFL, O_NONBLOCK);
	log_hold();
	log_event(LOG_INFO, "first", "held");
	assert_int_equal(read(reading_end, &byte, 1), -1);
	assert_true(log_start());
	log_event(LOG_INFO, "second", "not held");
	fcntl(reading_end, F_SETFL, 0);
	stop_and_read();
	assert_int_equal(line_count, 2);
	assert_non_null(strstr(lines[0], "first: held"));
	assert_non_null(strstr(lines[1], "second: not held"));
}

static void
what_was_held_is_written_at_the_end(void **state)
{
	(void)state;
	enter_pipe(0);
	log_hold();
	log_event(LOG_INFO, "start-failed", "held");
	stop_and_read();
	assert_int_equal(lines_with("start-failed: held"), 1);
}

static void
say_and_abort_before_the_start(void)
{
	log_hold();
	log_event(LOG_INFO, "before", "the end");
	abort();
}

static void
what_was_held_before_a_crash_is_written(void **state)
{
	pthread_t reader;
	pid_t child;
	int status;

	(void)state;
	enter_pipe(0);
	child = fork();
	if (child == 0)
		say_and_abort_before_the_start();
	reader = start_reading();
	assert_int_equal(waitpid(child, &status, 0), child);
	finish_reading(reader);
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_int_equal(lines_with("before: the end"), 1);
}

/* To the last byte. */
static void
fill_pipe(void)
{
	fcntl(STDERR_FILENO, F_SETFL, O_NONBLOCK);
	while (write(STDERR_FILENO, output, 4096) > 0)
		;
	while (write(STDERR_FILENO, output, 1) > 0)
		;
	fcntl(STDERR_FILENO, F_SETFL, 0);
}

static void
an_assert_does_not_wait_for_a_pipe_that_nobody_reads(void **state)
{
	pid_t child;
	int status;

	(void)state;
	enter_pipe(0);
	fill_pipe();
	child = fork();
	if (child == 0) {
		alarm(20);
		say_and_claim();
	}
	leave_pipe();
	assert_int_equal(waitpid(child, &status, 0), child);
	close(reading_end);
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void
a_crash_before_the_start_does_not_wait_for_a_pipe_that_nobody_reads(void **state)
{
	pid_t child;
	int status;

	(void)state;
	enter_pipe(0);
	fill_pipe();
	child = fork();
	if (child == 0) {
		alarm(20);
		say_and_abort_before_the_start();
	}
	leave_pipe();
	assert_int_equal(waitpid(child, &status, 0), child);
	close(reading_end);
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void
what_was_said_before_a_crash_is_written(void **state)
{
	pthread_t reader;
	pid_t child;
	int status;

	(void)state;
	enter_pipe(0);
	child = fork();
	if (child == 0)
		say_and_abort();
	reader = start_reading();
	assert_int_equal(waitpid(child, &status, 0), child);
	finish_reading(reader);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_int_equal(lines_with("before: the end"), LINES);
}

/* By a signal that sanitizers leave to us. */
static void
say_and_trap(void *arg, struct loop *unused)
{
	(void)arg;
	(void)unused;
	for (int i = 0; i < LINES; i++)
		log_event(LOG_INFO, "before", "the end", log_i64("i", i));
	raise(SIGTRAP);
}

static void
what_another_thread_said_before_its_crash_is_written(void **state)
{
	pthread_t reader;
	pid_t child;
	int status;

	(void)state;
	enter_pipe(0);
	child = fork();
	if (child == 0) {
		log_start();
		thread_join(thread_start("falls", say_and_trap, NULL));
		_exit(0);
	}
	reader = start_reading();
	assert_int_equal(waitpid(child, &status, 0), child);
	finish_reading(reader);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGTRAP);
	assert_int_equal(lines_with("before: the end"), LINES);
}

static void
a_crash_does_not_wait_for_a_pipe_that_nobody_reads(void **state)
{
	uint64_t begin_ms = real_ms();
	pid_t child;
	int status;

	(void)state;
	enter_pipe(0);
	child = fork();
	if (child == 0)
		say_and_abort();
	leave_pipe();
	assert_int_equal(waitpid(child, &status, 0), child);
	close(reading_end);
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_true(real_ms() - begin_ms < 5000);
}

/* While another thread logs, so that the lock is taken now and then. */
static void
a_child_logs_by_itself(void **state)
{
	uint64_t stop_ms = real_ms() + 300;
	pthread_t logger, reader;
	unsigned children = 0;

	(void)state;
	enter_pipe(0);
	reader = start_reading();
	assert_true(log_start());
	assert_int_equal(pthread_create(&logger, NULL, log_now_and_then, &stop_ms), 0);
	for (; real_ms() < stop_ms; children++) {
		pid_t child = fork();
		int status;

		if (child == 0) {
			log_event(LOG_INFO, "child", "speaks");
			_exit(0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
	pthread_join(logger, NULL);
	log_stop();
	finish_reading(reader);
	assert_int_equal(lines_with("child: speaks"), children);
}

static void *
count_writes(void *count)
{
	char text[LINES];

	for (*(unsigned *)count = 0; recv(reading_end, text, sizeof text, 0) > 0;)
		++*(unsigned *)count;
	return NULL;
}

/* Each write() is one packet.  The pauses give a writer that is woken by each line the time for it. */
static void
lines_that_come_close_upon_each_other_are_written_together(void **state)
{
	const struct timespec pause = {.tv_nsec = 10000};
	unsigned count;
	pthread_t reader;
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	reading_end = ends[0];
	saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	assert_int_equal(pthread_create(&reader, NULL, count_writes, &count), 0);
	assert_true(log_start());
	for (int i = 0; i < LINES; i++) {
		log_event(LOG_INFO, "flow-closed", "one of many");
		nanosleep(&pause, NULL);
	}
	log_stop();
	leave_pipe();
	pthread_join(reader, NULL);
	close(reading_end);
	assert_in_range(count, 1, LINES / 2);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(a_pipe_that_nobody_reads_stops_nobody, set_up),
	cmocka_unit_test_setup(audit_events_are_dropped_last, set_up),
	cmocka_unit_test_setup(audit_events_that_are_dropped_are_told, set_up),
	cmocka_unit_test_setup(what_a_full_disk_takes_is_told_by_kind, set_up),
	cmocka_unit_test_setup(a_disk_that_is_full_for_a_while_costs_no_line, set_up),
	cmocka_unit_test_setup(losses_are_told_once_a_second, set_up),
	cmocka_unit_test_setup(stops_within_a_second_for_a_pipe_that_nobody_reads, set_up),
	cmocka_unit_test_setup(keeps_the_lines_of_each_thread_whole_and_in_order, set_up),
	cmocka_unit_test_setup(loses_nothing_to_a_pipe_that_does_not_block, set_up),
	cmocka_unit_test_setup(starts_again_after_a_stop, set_up),
	cmocka_unit_test_setup(what_was_said_before_a_crash_is_written, set_up),
	cmocka_unit_test_setup(what_another_thread_said_before_its_crash_is_written, set_up),
	cmocka_unit_test_setup(a_crash_does_not_wait_for_a_pipe_that_nobody_reads, set_up),
	cmocka_unit_test_setup(what_an_assert_says_is_the_last_line, set_up),
	cmocka_unit_test_setup(lines_wait_until_the_writer_starts, set_up),
	cmocka_unit_test_setup(what_was_held_is_written_at_the_end, set_up),
	cmocka_unit_test_setup(what_was_held_before_a_crash_is_written, set_up),
	cmocka_unit_test_setup(a_crash_before_the_start_does_not_wait_for_a_pipe_that_nobody_reads, set_up),
	cmocka_unit_test_setup(an_assert_does_not_wait_for_a_pipe_that_nobody_reads, set_up),
	cmocka_unit_test_setup(a_child_logs_by_itself, set_up),
	cmocka_unit_test_setup(lines_that_come_close_upon_each_other_are_written_together, set_up),
};

RUN_TESTS("log_writer", tests)
