/* Tests of base/mistakes: what is heard of a reload that fails. */
#include "base/mistakes.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock_fake.h"
#include "base/log.h"
#include "helpers.h"

static char heard[256];

static void
hear(void *arg, const char *sentence)
{
	assert_ptr_equal(arg, heard);
	strcat(heard, sentence);
	strcat(heard, "|");
}

static const struct reload_asker asker = { hear, heard };

/* What an end with these sentences writes to the log. */
static const char *
end(const char *sentences, bool is_fine, const struct reload_asker *who)
{
	static char output[4096];
	int saved = dup(STDERR_FILENO), fd = memfd_create("log", MFD_CLOEXEC);
	struct mistakes mistakes;
	ssize_t bytes;

	assert_true(saved >= 0 && fd >= 0 && dup2(fd, STDERR_FILENO) >= 0);
	fcntl(fd, F_SETFL, O_APPEND);
	heard[0] = '\0';
	mistakes_open(&mistakes);
	fputs(sentences, mistakes.out);
	mistakes_close(&mistakes, is_fine, "the old one", who);
	dup2(saved, STDERR_FILENO);
	bytes = pread(fd, output, sizeof output - 1, 0);
	assert_true(bytes >= 0);
	output[bytes] = '\0';
	close(saved);
	close(fd);
	return output;
}

#define LINE(sentence) \
	"2026-01-01T00:00:00Z error reload-refused: " sentence " kept=\"the old one\"\n"

static void
makes_one_event_of_each_sentence(void **state)
{
	(void)state;
	assert_string_equal(end("a:1:2: one\n\na:2:1: two\n", false, &asker), LINE("a:1:2: one") LINE("a:2:1: two"));
	assert_string_equal(heard, "a:1:2: one|a:2:1: two|");
}

static void
tells_the_log_when_nobody_has_asked(void **state)
{
	(void)state;
	assert_string_equal(end("one\n", false, NULL), LINE("one"));
	assert_string_equal(heard, "");
}

static void
says_nothing_when_all_is_fine(void **state)
{
	(void)state;
	assert_string_equal(end("a warning\n", true, &asker), "");
	assert_string_equal(heard, "");
}

static void
takes_a_failure_without_a_sentence_for_a_lack_of_memory(void **state)
{
	(void)state;
	assert_string_equal(end("", false, &asker), LINE("memory is short"));
	assert_string_equal(heard, "memory is short|");
}

static int
set_up(void **state)
{
	(void)state;
	clock_fake(1, 1767225600000001);
	log_init("test", LOG_INFO, LOG_TEXT);
	return 0;
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(makes_one_event_of_each_sentence, set_up),
	cmocka_unit_test_setup(tells_the_log_when_nobody_has_asked, set_up),
	cmocka_unit_test_setup(says_nothing_when_all_is_fine, set_up),
	cmocka_unit_test_setup(takes_a_failure_without_a_sentence_for_a_lack_of_memory, set_up),
};
RUN_TESTS("base/mistakes", tests)
