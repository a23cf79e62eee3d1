/* Tests of base/log: both formats, and hostile strings in them. */
#include "base/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/clock_fake.h"
#include "helpers.h"

enum { THREADS = 4, LINES = 200 };

static char output[1 << 20];

/* Runs `act` with standard error in memory and gives what was written. */
static const char *
captured(void (*act)(void))
{
	int saved = dup(STDERR_FILENO), fd = memfd_create("log", MFD_CLOEXEC);
	ssize_t bytes;

	assert_true(saved >= 0 && fd >= 0);
	dup2(fd, STDERR_FILENO);
	fcntl(fd, F_SETFL,
	    O_APPEND); /* the kernel guards the position of regular files, not of these */
	act();
	dup2(saved, STDERR_FILENO);
	bytes = pread(fd, output, sizeof output - 1, 0);
	assert_true(bytes >= 0);
	output[bytes] = '\0';
	close(saved);
	close(fd);
	return output;
}

static void
log_one_event(void)
{
	log_event(LOG_INFO, "session-up", "agent connected", log_str("agent", "shop"),
	    log_str("name", "a b\"\n"), log_str("none", NULL), log_u64("pool", UINT64_MAX),
	    log_i64("delta", -3), log_bool("fine", true), log_str("empty", ""), log_hex("id", "\x01\xab", 2));
}

static void
writes_text_for_people(void **state)
{
	(void)state;
	clock_fake(1, 1767225600000001);
	log_init("test", LOG_INFO, LOG_TEXT);
	assert_string_equal(captured(log_one_event),
	    "2026-01-01T00:00:00Z info session-up: agent connected agent=shop name=\"a "
	    "b\\\"\\x0a\" "
	    "pool=18446744073709551615 delta=-3 fine=true empty=\"\" id=01ab\n");
}

static void
log_two_seconds(void)
{
	log_event(LOG_INFO, "numbers", NULL, log_i64("least", INT64_MIN), log_i64("most", INT64_MAX),
	    log_u64("none", 0), log_u64("round", 1000));
	clock_fake(1, 1767225601987654);
	log_event(LOG_INFO, "later", NULL);
}

static void
writes_every_number_and_each_time(void **state)
{
	(void)state;
	clock_fake(1, 1767225600999999);
	log_init("test", LOG_INFO, LOG_JSON);
	assert_string_equal(captured(log_two_seconds),
	    "{\"time\":\"2026-01-01T00:00:00.999999Z\",\"level\":\"info\",\"program\":\"test\","
	    "\"event\":\"numbers\",\"least\":-9223372036854775808,\"most\":9223372036854775807,"
	    "\"none\":0,\"round\":1000}\n"
	    "{\"time\":\"2026-01-01T00:00:01.987654Z\",\"level\":\"info\",\"program\":\"test\","
	    "\"event\":\"later\"}\n");
}

static void
writes_json_for_machines(void **state)
{
	(void)state;
	clock_fake(1, 1767225600000001);
	log_init("test", LOG_INFO, LOG_JSON);
	assert_string_equal(captured(log_one_event),
	    "{\"time\":\"2026-01-01T00:00:00.000001Z\",\"level\":\"info\",\"program\":\"test\","
	    "\"event\":\"session-up\","
	    "\"message\":\"agent connected\",\"agent\":\"shop\",\"name\":\"a "
	    "b\\\"\\u000a\",\"pool\":18446744073709551615,"
	    "\"delta\":-3,\"fine\":true,\"empty\":\"\",\"id\":\"01ab\"}\n");
}

static void
log_without_sentence(void)
{
	log_event(LOG_ERROR, "odd", NULL, log_bool("fine", false));
	log_event(LOG_WARNING, "bare", "no fields");
	log_event(LOG_DEBUG, "hidden", "below the level");
}

static void
leaves_out_what_is_not_there_or_not_wanted(void **state)
{
	(void)state;
	clock_fake(1, 1767225600000000);
	log_init("test", LOG_WARNING, LOG_TEXT);
	assert_true(log_enabled(LOG_ERROR));
	assert_false(log_enabled(LOG_INFO));
	assert_string_equal(captured(log_without_sentence),
	    "2026-01-01T00:00:00Z error odd fine=false\n2026-01-01T00:00:00Z warning bare: no "
	    "fields\n");
}

static const char *hostile;

static void
log_hostile(void)
{
	log_event(LOG_INFO, "e", NULL, log_str("s", hostile));
}

static const char *
value_in(const char *text, enum log_format format)
{
	char *end;

	hostile = text;
	log_init("test", LOG_INFO, format);
	captured(log_hostile);
	end = strrchr(output, format == LOG_JSON ? '}' : '\n');
	assert_non_null(end);
	assert_ptr_equal(strchr(output, '\n'), output + strlen(output) - 1);
	*end = '\0';
	return strstr(output, format == LOG_JSON ? "\"s\":" : "s=") + (format == LOG_JSON ? 4 : 2);
}

static void
quotes_hostile_strings(void **state)
{
	static const struct { const char *text, *plain, *json;
	} cases[] = {
	    {"plain-1.example", "plain-1.example", "\"plain-1.example\""},
	    {"a=b", "\"a=b\"", "\"a=b\""}, {"\x1b[31m", "\"\\x1b[31m\"", "\"\\u001b[31m\""},
	    {"\x7f", "\"\\x7f\"", "\"\\u007f\""}, {"a\\b", "\"a\\\\b\"", "\"a\\\\b\""},
	    {"\xc3\xa9", "\"\\xc3\\xa9\"", "\"\xc3\xa9\""},
	    {"\xff\xfe", "\"\\xff\\xfe\"", "\"\\u00ff\\u00fe\""},
	    {"\xc0\xaf", "\"\\xc0\\xaf\"", "\"\\u00c0\\u00af\""},		  /* overlong */
	    {"\xed\xa0\x80", "\"\\xed\\xa0\\x80\"", "\"\\u00ed\\u00a0\\u0080\""}, /* a surrogate */
	    {"\xf0\x9f\x98\x80", "\"\\xf0\\x9f\\x98\\x80\"", "\"\xf0\x9f\x98\x80\""},
	    {"\xe2\x82", "\"\\xe2\\x82\"", "\"\\u00e2\\u0082\""}, /* cut off */
	    {"a\xe2\x80\xae" "b", "\"a\\xe2\\x80\\xaeb\"", "\"a\\u202eb\""}, /* an override */
	    {"\xe2\x80\x8b", "\"\\xe2\\x80\\x8b\"", "\"\\u200b\""}, /* zero width */
	    {"\xe2\x81\xa6", "\"\\xe2\\x81\\xa6\"", "\"\\u2066\""}, /* an isolate */
	    {"\xc2\x9b", "\"\\xc2\\x9b\"", "\"\\u009b\""}, /* C1, a terminal's CSI */
	    {"\xe2\x80\xa8", "\"\\xe2\\x80\\xa8\"", "\"\\u2028\""}, /* a line's end */
	    {"\xef\xbb\xbf", "\"\\xef\\xbb\\xbf\"", "\"\\ufeff\""},
	    {"\xf3\xa0\x81\x81", "\"\\xf3\\xa0\\x81\\x81\"", "\"\\udb40\\udc41\""}, /* a tag */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_string_equal(value_in(cases[i].text, LOG_TEXT), cases[i].plain);
		assert_string_equal(value_in(cases[i].text, LOG_JSON), cases[i].json);
	}
}

static void
cuts_long_strings_at_a_character(void **state)
{
	char text[2048];

	(void)state;
	memset(text, 'a', sizeof text);
	text[2047] = '\0';
	assert_int_equal(strlen(value_in(text, LOG_TEXT)), 1024);
	memcpy(text + 1022, "\xe2\x82\xac", 3);
	assert_int_equal(strlen(value_in(text, LOG_JSON)), 1022 + 2);
}

static void
log_too_much(void)
{
	static char text[1025];

	memset(text, 1, 1024);
	log_event(LOG_INFO, "big", "much", log_str("a", text), log_str("b", text),
	    log_str("c", text), log_u64("last", 7));
}

static void
leaves_out_whole_fields_when_a_line_is_full(void **state)
{
	const char *line;

	(void)state;
	log_init("test", LOG_INFO, LOG_JSON);
	line = captured(log_too_much);
	assert_non_null(strstr(line, "\"b\":"));
	assert_null(strstr(line, "\"c\":"));
	assert_non_null(strstr(line, ",\"last\":7}\n"));
}

static void
log_a_broken_sentence(void)
{
	log_event(LOG_INFO, "e", "says \"no\"\nand\x1b[2J more");
}

static void
a_sentence_cannot_break_the_line(void **state)
{
	(void)state;
	clock_fake(1, 1767225600000000);
	log_init("test", LOG_INFO, LOG_TEXT);
	assert_string_equal(captured(log_a_broken_sentence),
	    "2026-01-01T00:00:00Z info e: \"says \\\"no\\\"\\x0aand\\x1b[2J more\"\n");
	log_init("test", LOG_INFO, LOG_JSON);
	assert_non_null(strstr(
	    captured(log_a_broken_sentence), "\"says \\\"no\\\"\\u000aand\\u001b[2J more\"}\n"));
}

static const char *sentence;

static void
log_a_hostile_sentence(void)
{
	log_event(LOG_INFO, "refused", sentence, log_str("client", "192.0.2.1"));
}

static void
a_sentence_cannot_forge_a_field(void **state)
{
	static const struct {
		const char *sentence, *line;
	} cases[] = {
	    {"CN client is not known", "refused: CN client is not known client=192.0.2.1"},
	    {"CN shop client=10.0.0.1 is not known",
		"refused: \"CN shop client=10.0.0.1 is not known\" client=192.0.2.1"},
	    {"CN \" client=10.0.0.1", "refused: \"CN \\\" client=10.0.0.1\" client=192.0.2.1"},
	    {"CN \\", "refused: \"CN \\\\\" client=192.0.2.1"},
	    {"CN \xe2\x80\xae", "refused: \"CN \\xe2\\x80\\xae\" client=192.0.2.1"},
	    {"", "refused: \"\" client=192.0.2.1"},
	};

	(void)state;
	clock_fake(1, 1767225600000000);
	log_init("test", LOG_INFO, LOG_TEXT);
	for (size_t i = 0; i < COUNT(cases); i++) {
		sentence = cases[i].sentence;
		captured(log_a_hostile_sentence);
		output[strlen(output) - 1] = '\0';
		assert_string_equal(output + strlen("2026-01-01T00:00:00Z info "), cases[i].line);
	}
}

static void *
log_lines(void *arg)
{
	for (int i = 0; i < LINES; i++)
		log_event(LOG_INFO, "line", "from a thread", log_str("who", arg), log_i64("i", i));
	return NULL;
}

static void
log_from_threads(void)
{
	static char names[THREADS][2] = {"a", "b", "c", "d"};
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, log_lines, names[i]), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void
lines_of_several_threads_stay_whole(void **state)
{
	unsigned lines = 0;
	char *rest, *line;

	(void)state;
	log_init("test", LOG_INFO, LOG_JSON);
	rest = (char *)(uintptr_t)captured(log_from_threads);
	while ((line = strsep(&rest, "\n")) && *line != '\0') {
		assert_memory_equal(line, "{\"time\":\"", 9);
		assert_int_equal(line[strlen(line) - 1], '}');
		lines++;
	}
	assert_int_equal(lines, THREADS * LINES);
}

/* How far JOURNAL_STREAM is from the truth. */
static unsigned off_by;

static void
log_to_the_journal(void)
{
	struct stat file;
	char text[64];

	fstat(STDERR_FILENO, &file);
	snprintf(text, sizeof text, "%ju:%ju", (uintmax_t)file.st_dev,
	    (uintmax_t)file.st_ino + off_by);
	setenv("JOURNAL_STREAM", text, 1);
	log_init("test", LOG_DEBUG, LOG_TEXT);
	for (int level = LOG_ERROR; level < LOG_LEVELS; level++)
		log_event((enum log_level)level, "e", NULL);
	log_init("test", LOG_INFO, LOG_JSON);
	log_event(LOG_INFO, "e", NULL);
}

static void
tells_the_journal_how_bad_it_is(void **state)
{
	static const char wanted[] =
	    "<3>2026-01-01T00:00:00Z error e\n<4>2026-01-01T00:00:00Z warning e\n"
	    "<6>2026-01-01T00:00:00Z info e\n<7>2026-01-01T00:00:00Z debug e\n<6>{\"time\"";

	(void)state;
	clock_fake(1, 1767225600000000);
	off_by = 0;
	assert_memory_equal(captured(log_to_the_journal), wanted, sizeof wanted - 1);
	off_by = 1;
	assert_null(strchr(captured(log_to_the_journal), '<'));
	unsetenv("JOURNAL_STREAM");
}

static void
log_moves(void)
{
	static int one, other;
	static const char up[] = "up";

	log_move("link", log_object("link", &one), up, up);
	log_move("flow", log_hex("flow", "\x01\xab", 2), "looking", "joined");
	log_move("link", log_object("link", &one), "up", "closing");
	log_move("link", log_object("link", &other), "up", "closing");
	log_move("link", log_object("link", &one), "closing", "ended");
}

static void
tells_the_moves_of_machines_at_debug_level(void **state)
{
	char objects[3][9];

	(void)state;
	clock_fake(1, 1767225600000000);
	log_init("test", LOG_INFO, LOG_TEXT);
	assert_string_equal(captured(log_moves), "");
	log_init("test", LOG_DEBUG, LOG_TEXT);
	assert_int_equal(sscanf(captured(log_moves),
	    "2026-01-01T00:00:00Z debug move machine=flow flow=01ab from=looking to=joined\n"
	    "2026-01-01T00:00:00Z debug move machine=link link=%8[0-9a-f] from=up to=closing\n"
	    "2026-01-01T00:00:00Z debug move machine=link link=%8[0-9a-f] from=up to=closing\n"
	    "2026-01-01T00:00:00Z debug move machine=link link=%8[0-9a-f] from=closing to=ended\n",
	    objects[0], objects[1], objects[2]), 3);
	assert_string_equal(objects[0], objects[2]);
	assert_string_not_equal(objects[0], objects[1]);
}

static void
quotes_within_the_room_given(void **state)
{
	char out[6];

	(void)state;
	log_quote(out, sizeof out, "ab\ncd", 5);
	assert_string_equal(out, "ab");
	log_quote(out, sizeof out, "a\ncd", 4);
	assert_string_equal(out, "a\\x0a");
	log_quote(out, sizeof out, "abcdefgh", 8);
	assert_string_equal(out, "abcde");
	log_quote(out, 1, "abc", 3);
	assert_string_equal(out, "");
	log_quote(out, sizeof out, "a\0b", 3);
	assert_string_equal(out, "a\\x00");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(writes_text_for_people),
	cmocka_unit_test(writes_every_number_and_each_time),
	cmocka_unit_test(writes_json_for_machines),
	cmocka_unit_test(leaves_out_what_is_not_there_or_not_wanted),
	cmocka_unit_test(quotes_hostile_strings),
	cmocka_unit_test(cuts_long_strings_at_a_character),
	cmocka_unit_test(leaves_out_whole_fields_when_a_line_is_full),
	cmocka_unit_test(a_sentence_cannot_break_the_line),
	cmocka_unit_test(a_sentence_cannot_forge_a_field),
	cmocka_unit_test(lines_of_several_threads_stay_whole),
	cmocka_unit_test(tells_the_journal_how_bad_it_is),
	cmocka_unit_test(tells_the_moves_of_machines_at_debug_level),
	cmocka_unit_test(quotes_within_the_room_given),
};

RUN_TESTS("log", tests)
