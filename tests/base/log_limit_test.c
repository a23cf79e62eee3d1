/* Tests of log_limited(): what strangers repeat becomes few lines. */
#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/address.h"
#include "base/clock_fake.h"
#include "base/log_private.h"
#include "helpers.h"

enum { OUTPUT_MOST = 16 << 20, A_SECOND_US = 1000000 };

static char output[OUTPUT_MOST];
static int file = -1, saved;
static uint64_t now_us = A_SECOND_US;

static struct address
address_of(const char *text)
{
	struct address address;

	assert_true(address_parse(&address, text));
	return address;
}

static int
set_up(void **state)
{
	FILE *temporary = tmpfile();

	(void)state;
	assert_non_null(temporary);
	file = fileno(temporary);
	saved = dup(STDERR_FILENO);
	dup2(file, STDERR_FILENO);
	log_init("test", LOG_INFO, LOG_TEXT);
	now_us += 10 * A_SECOND_US;
	clock_fake(now_us, 1767225600000000);
	log_tell_suppressed(LOG_LIMIT_WINDOWS, true);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(file);
	return 0;
}

static void
pass_time(uint64_t us)
{
	now_us += us;
	clock_fake(now_us, 1767225600000000);
}

/* Lines since the last call that hold the text; `output` has them. */
static unsigned
lines_with(const char *text)
{
	ssize_t bytes = pread(file, output, sizeof output - 1, 0);
	unsigned count = 0;

	assert_true(bytes >= 0);
	output[bytes] = '\0';
	for (const char *at = output; (at = strstr(at, text)); at += strlen(text))
		count++;
	return count;
}

static void
refuse(const char *event, const char *client, unsigned times)
{
	struct address address = address_of(client);

	for (unsigned i = 0; i < times; i++)
		log_limited(LOG_INFO, event, &address, "no route has this name");
}

static void
ten_thousand_refusals_make_few_lines(void **state)
{
	(void)state;
	refuse("hello-refused", "192.0.2.1:4000", 5000);
	refuse("hello-refused", "192.0.2.1:4001", 5000);
	assert_int_equal(lines_with("info hello-refused:"), 30);
	pass_time(A_SECOND_US);
	log_tell_suppressed(LOG_LIMIT_WINDOWS, false);
	assert_int_equal(lines_with("info log-lines-suppressed: 9970 suppressed of=hello-refused "
				    "clients=192.0.2.1/32 lines=9970\n"), 1);
}

static void
the_number_is_told_before_the_next_line(void **state)
{
	(void)state;
	refuse("hello-refused", "192.0.2.1:4000", 40);
	pass_time(A_SECOND_US - 1000);
	log_tell_suppressed(LOG_LIMIT_WINDOWS, false);
	assert_int_equal(lines_with("suppressed"), 0);
	pass_time(1000);
	refuse("hello-refused", "192.0.2.1:4000", 1);
	assert_int_equal(lines_with("lines=10\n2026-01-01T00:00:00Z info hello-refused:"), 1);
	assert_int_equal(lines_with("info hello-refused:"), 31);
	log_tell_suppressed(LOG_LIMIT_WINDOWS, true);
	assert_int_equal(lines_with("log-lines-suppressed"), 1);
}

static void
each_event_and_each_block_counts_by_itself(void **state)
{
	(void)state;
	refuse("hello-refused", "192.0.2.1:4000", 40);
	refuse("flow-refused", "192.0.2.1:4000", 40);
	refuse("hello-refused", "192.0.2.2:4000", 40);
	refuse("hello-refused", "[2001:db8:0:1::1]:4000", 20);
	refuse("hello-refused", "[2001:db8:0:1:2::2]:4000", 20);
	refuse("hello-refused", "[2001:db8:0:2::1]:4000", 30);
	assert_int_equal(lines_with("info hello-refused:"), 30 + 21 + 14 + 9);
	assert_int_equal(lines_with("info flow-refused:"), 30);
	pass_time(A_SECOND_US);
	log_tell_suppressed(LOG_LIMIT_WINDOWS, false);
	assert_int_equal(lines_with("of=hello-refused clients=192.0.2.1/32 lines=10\n"), 1);
	assert_int_equal(lines_with("of=hello-refused clients=192.0.2.2/32 lines=19\n"), 1);
	assert_int_equal(lines_with("clients=2001:db8:0:1::/64 lines=26\n"), 1);
	assert_int_equal(lines_with("clients=2001:db8:0:2::/64 lines=21\n"), 1);
	assert_int_equal(lines_with("of=flow-refused clients=192.0.2.1/32 lines=10\n"), 1);
	assert_int_equal(lines_with("log-lines-suppressed"), 5);
}

static void
nobody_in_particular_is_limited_too(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++)
		log_limited(LOG_WARNING, "timer-failed", NULL, "memory is short");
	log_tell_suppressed(LOG_LIMIT_WINDOWS, true);
	assert_int_equal(lines_with("warning timer-failed:"), 30);
	assert_int_equal(lines_with(
	    "warning log-lines-suppressed: 70 suppressed of=timer-failed lines=70\n"), 1);
}

static void
what_the_level_hides_is_not_counted(void **state)
{
	(void)state;
	log_init("test", LOG_WARNING, LOG_TEXT);
	refuse("hello-refused", "192.0.2.1:4000", 100);
	log_tell_suppressed(LOG_LIMIT_WINDOWS, true);
	assert_int_equal(lines_with("\n"), 0);
}

static void
audit_events_are_never_limited(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++)
		log_audit(LOG_INFO, "session-up", NULL, log_str("client", "192.0.2.1:4000"));
	assert_int_equal(lines_with("session-up"), 1000);
}

/* Of all lines that tell what was suppressed: how much that was. */
static unsigned
suppressed_lines(void)
{
	static const char word[] = "log-lines-suppressed: ";
	unsigned sum = 0, number;

	lines_with(word);
	for (const char *at = output; (at = strstr(at, word)); at += strlen(word)) {
		assert_int_equal(sscanf(at + strlen(word), "%u suppressed", &number), 1);
		sum += number;
	}
	return sum;
}

static void
judge(unsigned who, unsigned times)
{
	const struct address client = address_of("192.0.2.1:4000");
	const struct log_field fields[] = { { 0 } };

	while (times-- > 0)
		log_write_judged(LOG_WARNING, who ? "judged-proven" : "judged-junk", &client, who, NULL, fields);
}

static void
what_is_judged_is_limited_by_who_it_is_proven_to_be(void **state)
{
	(void)state;
	judge(0, 100);
	assert_int_equal(lines_with("warning judged-junk"), 30);
	judge(1, 100);
	judge(2, 1);
	assert_int_equal(lines_with("warning judged-proven"), 60 + 1);
	pass_time(59 * A_SECOND_US);
	judge(1, 100);
	judge(2, 100);
	assert_int_equal(lines_with("warning judged-proven"), 60 + 60);
	pass_time(A_SECOND_US);
	judge(1, 100);
	judge(2, 100);
	assert_int_equal(lines_with("warning judged-proven"), 2 * (60 + 60));
	log_tell_suppressed(LOG_LIMIT_WINDOWS, true);
	assert_int_equal(suppressed_lines(), 70 + 40 + 100 + 41 + 40 + 40);
}

/* 256 in a minute; who mints certificates is no stranger, but those beyond have no more lines than one. */
static void
who_is_judged_behind_many_others_is_limited_as_junk(void **state)
{
	(void)state;
	pass_time(60 * A_SECOND_US); /* those of the last test */
	for (unsigned who = 1; who <= 256; who++)
		judge(who, 1);
	judge(257, 100);
	assert_int_equal(lines_with("warning judged-proven"), 256 + 30);
	judge(1, 100);
	assert_int_equal(lines_with("warning judged-proven"), 256 + 30 + 59);
	pass_time(60 * A_SECOND_US);
	judge(257, 100);
	assert_int_equal(lines_with("warning judged-proven"), 256 + 30 + 59 + 60);
	log_tell_suppressed(LOG_LIMIT_WINDOWS, true); /* not in the next test */
}

static const char *
client_of(unsigned number)
{
	static char client[ADDRESS_TEXT];

	snprintf(client, sizeof client, "10.%u.%u.%u:1", number >> 16, number >> 8 & 255, number & 255);
	return client;
}

static void
ten_thousand_clients_make_a_hundred_lines_a_second(void **state)
{
	unsigned before = 0, lines;

	(void)state;
	for (unsigned second = 0; second < 5; second++) {
		for (unsigned i = 0; i < 10000; i++) {
			refuse("hello-refused", client_of(second * 5000 + i), 1);
			pass_time(100);
		}
		lines = lines_with("\n");
		assert_true(lines - before <= 100 && lines - before >= 80);
		before = lines;
	}
	log_tell_suppressed(2 * LOG_LIMIT_WINDOWS, true);
	assert_int_equal(suppressed_lines() + lines_with("info hello-refused:"), 50000);
}

static void
a_late_block_has_a_line_of_its_own(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 6; i++)
		refuse("hello-refused", client_of(i), 1000);
	refuse("hello-refused", "192.0.2.1:1", 1);
	assert_int_equal(lines_with("info hello-refused:"), 30 + 21 + 14 + 9 + 6 + 4 + 1);
	log_tell_suppressed(LOG_LIMIT_WINDOWS, true);
	assert_int_equal(suppressed_lines(), 6 * 1000 - 84);
}

/* 992 windows are for the event and for blocks; the other blocks share the event's. */
static void
many_blocks_share_one_window(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2000; i++)
		refuse("hello-refused", client_of(i), 2);
	assert_int_equal(lines_with("info hello-refused:"), 90);
	pass_time(A_SECOND_US);
	log_tell_suppressed(LOG_LIMIT_WINDOWS, false);
	assert_int_equal(lines_with("of=hello-refused lines=2018\n"), 1);
	assert_int_equal(lines_with("/32 lines=1\n"), 2);
	assert_int_equal(lines_with("/32 lines=2\n"), 7);
	assert_int_equal(lines_with("log-lines-suppressed"), 1 + 9);
	refuse("hello-refused", client_of(1999), 31);
	log_tell_suppressed(LOG_LIMIT_WINDOWS, true);
	assert_int_equal(lines_with("info hello-refused:"), 90 + 30);
	assert_int_equal(suppressed_lines(), 2 * 2000 - 90 + 1);
}

/* One that has ended is found by its client when all places are taken, and makes him share. */
static void
nothing_is_forgotten_where_a_window_is_shared_next(void **state)
{
	static const char *const events[] = { "one", "two", "three", "hello-refused" };

	(void)state;
	for (unsigned i = 0; i < 991; i++)
		refuse("hello-refused", client_of(i), i == 0 ? 40 : 1);
	for (unsigned i = 0; i < COUNT(events); i++)
		refuse(events[i], "192.0.2.1:1", 35);
	pass_time(A_SECOND_US);
	refuse("hello-refused", client_of(0), 1);
	log_tell_suppressed(2 * LOG_LIMIT_WINDOWS, true);
	assert_int_equal(lines_with("clients=10.0.0.0/32 lines=10\n"), 1);
	assert_int_equal(lines_with("of=one lines=5\n"), 1);
	assert_int_equal(lines_with("of=hello-refused lines=35\n"), 1);
	assert_int_equal(suppressed_lines(), 10 + 3 * 5 + 35 + 990 - 60);
}

/* Windows are cleared as new ones come, also if nobody sweeps. */
static void
windows_that_have_ended_make_room(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 0; i < 900; i++)
			refuse("hello-refused", client_of(round * 900 + i), 31);
		pass_time(A_SECOND_US);
	}
	log_tell_suppressed(2 * LOG_LIMIT_WINDOWS, true);
	assert_true(lines_with("\n") <= 5 * 100);
	assert_int_equal(suppressed_lines() + lines_with("info hello-refused:"), 4 * 900 * 31);
	assert_false(log_limit_is_open());
}

#define LIMIT_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	LIMIT_TEST(ten_thousand_refusals_make_few_lines),
	LIMIT_TEST(the_number_is_told_before_the_next_line),
	LIMIT_TEST(each_event_and_each_block_counts_by_itself),
	LIMIT_TEST(nobody_in_particular_is_limited_too),
	LIMIT_TEST(what_the_level_hides_is_not_counted),
	LIMIT_TEST(audit_events_are_never_limited),
	LIMIT_TEST(what_is_judged_is_limited_by_who_it_is_proven_to_be),
	LIMIT_TEST(who_is_judged_behind_many_others_is_limited_as_junk),
	LIMIT_TEST(ten_thousand_clients_make_a_hundred_lines_a_second),
	LIMIT_TEST(a_late_block_has_a_line_of_its_own),
	LIMIT_TEST(many_blocks_share_one_window),
	LIMIT_TEST(nothing_is_forgotten_where_a_window_is_shared_next),
	LIMIT_TEST(windows_that_have_ended_make_room),
};

RUN_TESTS("log_limit", tests)
