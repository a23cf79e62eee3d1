/* Tests of base/log_recent: what is kept, in which order, who leaves, and what hostile texts look like. */
#include "base/log_recent.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/clock_fake.h"
#include "base/log.h"
#include "helpers.h"

/* Nothing here is about standard error. */
static int
no_output(void **state)
{
	int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)state;
	assert_true(nowhere >= 0 && dup2(nowhere, STDERR_FILENO) >= 0);
	close(nowhere);
	clock_fake(1, 1767225600000000);
	log_init("test", LOG_INFO, LOG_TEXT);
	return 0;
}

static struct log_recent list[LOG_RECENT_MOST];

static size_t
count_of(const char *event)
{
	size_t count = log_recent_copy(list), found = 0;

	for (size_t i = 0; i < count; i++)
		found += strcmp(list[i].event, event) == 0;
	return found;
}

static void
keeps_warnings_and_audit_events_the_newest_first(void **state)
{
	uint64_t before = log_recent_version();

	(void)state;
	log_event(LOG_INFO, "unimportant", "nobody need know", log_u64("n", 1));
	assert_int_equal(log_recent_version(), before);
	log_audit(LOG_INFO, "session-up", "agent connected", log_str("agent", "shop"),
	    log_u64("pool", 4));
	log_event(LOG_WARNING, "certificate-expires", NULL);
	assert_int_equal(log_recent_version(), before + 2);
	log_recent_copy(list);
	assert_string_equal(list[0].event, "certificate-expires");
	assert_int_equal(list[0].level, LOG_WARNING);
	assert_string_equal(list[0].text, "");
	assert_string_equal(list[0].fields, "");
	assert_string_equal(list[1].event, "session-up");
	assert_string_equal(list[1].text, "agent connected");
	assert_string_equal(list[1].fields, "agent=shop pool=4");
	assert_int_equal(list[1].at_s, 1767225600);
}

static void
what_the_level_keeps_back_is_not_kept_here(void **state)
{
	uint64_t before = log_recent_version();

	(void)state;
	log_init("test", LOG_ERROR, LOG_TEXT);
	log_event(LOG_WARNING, "certificate-expires", "soon");
	log_audit(LOG_INFO, "session-up", "agent connected");
	assert_int_equal(log_recent_version(), before);
	log_init("test", LOG_INFO, LOG_TEXT);
}

static void
what_is_repeated_pushes_out_only_its_like(void **state)
{
	(void)state;
	log_event(LOG_ERROR, "reload-failed", "the only one");
	for (int i = 0; i < 1000; i++)
		log_event(LOG_WARNING, "refused", "a stranger", log_i64("i", i));
	assert_int_equal(log_recent_copy(list), LOG_RECENT_MOST);
	assert_int_equal(count_of("reload-failed"), 1);
	assert_string_equal(list[0].fields, "i=999");
	assert_string_equal(list[1].fields, "i=998");

	/* And a second kind that is repeated gets half of the places. */
	for (int i = 0; i < 1000; i++)
		log_event(LOG_WARNING, "handshake-failed", "another stranger");
	assert_int_equal(count_of("reload-failed"), 1);
	assert_in_range(count_of("refused"), LOG_RECENT_MOST / 2 - 4, LOG_RECENT_MOST / 2);
}

static void
shows_all_of_a_hostile_text_and_cuts_it(void **state)
{
	char lengthy[4000];

	(void)state;
	/* An override of the reading order, a control character, a byte that is no UTF-8, and one that is. */
	log_event(LOG_WARNING, "hostile", "a\xe2\x80\xae" "b\n\xff\xc3\xa9",
	    log_str("name", "x\" level=error\n"));
	memset(lengthy, 'y', sizeof lengthy - 1);
	lengthy[sizeof lengthy - 1] = '\0';
	log_event(LOG_WARNING, "lengthy", lengthy, log_str("name", lengthy));
	log_recent_copy(list);
	assert_string_equal(list[1].text, "a\\xe2\\x80\\xaeb\\x0a\\xff\xc3\xa9");
	assert_string_equal(list[1].fields, "name=\"x\\\" level=error\\x0a\"");
	assert_in_range(strlen(list[0].text), 300, 400);
	assert_in_range(strlen(list[0].fields), 300, 480);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_warnings_and_audit_events_the_newest_first),
		cmocka_unit_test(what_the_level_keeps_back_is_not_kept_here),
		cmocka_unit_test(what_is_repeated_pushes_out_only_its_like),
		cmocka_unit_test(shows_all_of_a_hostile_text_and_cuts_it),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("log_recent", tests, no_output, NULL);
}
