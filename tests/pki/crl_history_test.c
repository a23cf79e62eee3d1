/* Tests of pki/crl_history: the revoked serials, their bound and their file. */
#include "pki/crl_history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NOW = 1800000000, YEAR = 365 * 86400 };

static char directory[64], path[80], error[CRL_HISTORY_ERROR];
static struct crl_history *history;

static struct revoked
entry_of(uint8_t issuer, uint32_t number, int64_t not_after)
{
	struct revoked entry = { .issuer = { issuer }, .reason = 1, .revoked_at = NOW - 5, .not_after = not_after };

	entry.serial.bytes = 5;
	entry.serial.data[0] = 0x80;	/* negative, as some write them */
	for (int i = 0; i < 4; i++)
		entry.serial.data[1 + i] = (uint8_t)(number >> 8 * i);
	return entry;
}

static void
note(uint8_t issuer, uint32_t number, int64_t not_after)
{
	struct revoked entry = entry_of(issuer, number, not_after);

	crl_history_note_revoked(history, &entry, NOW);
}

static bool
has(uint8_t issuer, uint32_t number)
{
	struct revoked entry = entry_of(issuer, number, 0), found;

	return crl_history_has_revoked(history, entry.issuer, &entry.serial, &found) && found.reason == 1 &&
	    found.revoked_at == NOW - 5;
}

static int
set_up(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/valise-history.XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof path, "%s/crl-revoked", directory);
	history = crl_history_new();
	return !history;
}

static int
tear_down(void **state)
{
	char aside[100];

	(void)state;
	crl_history_release(history);
	snprintf(aside, sizeof aside, "%s.damaged", path);
	unlink(path);
	unlink(aside);
	return rmdir(directory);
}

/* As a new process would. */
static bool
start_again(void)
{
	crl_history_release(history);
	history = crl_history_new();
	assert_non_null(history);
	return crl_history_read_revoked(history, directory, error);
}

static void
write_file(const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void
serials_outlive_a_restart(void **state)
{
	(void)state;
	assert_true(crl_history_save_revoked(history, directory, error));
	assert_int_equal(access(path, F_OK), -1);	/* nothing to keep */
	note(1, 7, NOW + YEAR);
	note(2, 8, NOW + YEAR);
	assert_true(crl_history_save_revoked(history, directory, error));
	assert_true(start_again());
	assert_true(has(1, 7) && has(2, 8));
	assert_false(has(1, 8));
}

static void
what_another_process_has_kept_is_merged(void **state)
{
	struct crl_history *other = crl_history_new();
	struct revoked entry = entry_of(1, 1, NOW + YEAR);

	(void)state;
	note(2, 2, NOW + YEAR);
	assert_true(crl_history_save_revoked(history, directory, error));
	crl_history_note_revoked(other, &entry, NOW);
	assert_true(crl_history_save_revoked(other, directory, error));
	crl_history_release(other);
	assert_true(start_again());
	assert_true(has(1, 1) && has(2, 2));
}

static void
a_directory_that_is_not_there_is_told_once(void **state)
{
	(void)state;
	note(1, 1, NOW + YEAR);
	assert_false(crl_history_save_revoked(history, "/nowhere", error));
	assert_non_null(strstr(error, "/nowhere"));
	assert_true(crl_history_save_revoked(history, "/nowhere", error));	/* told already */
	note(1, 2, NOW + YEAR);
	assert_true(crl_history_save_revoked(history, directory, error));
	assert_true(start_again());
	assert_true(has(1, 1) && has(1, 2));
}

static void
when_it_is_full_the_heaviest_issuer_loses_what_ends_first(void **state)
{
	(void)state;
	note(1, 0, NOW + YEAR);
	for (uint32_t i = 0; i < CRL_HISTORY_REVOKED - 1; i++)
		note(2, i, NOW + (i == 500 ? 10 : YEAR));
	assert_true(has(2, 500));
	note(3, 0, NOW + YEAR);
	assert_false(has(2, 500));
	note(2, 70000, NOW + YEAR);
	assert_true(has(1, 0) && has(3, 0) && has(2, 70000));
	assert_true(crl_history_save_revoked(history, directory, error));
	assert_true(start_again());
	assert_true(has(1, 0) && has(3, 0) && has(2, 70000));
}

static void
takes_what_it_can_of_a_damaged_file(void **state)
{
	static const char *const damaged[] = { "", "valise-crl-revoked 1\n", "valise-crl-revoked 2\nend\n",
		"valise-crl-revoked 1\nend\nmore", "valise-crl-revoked 1\n00 11 1 1 1\nend\n",
		"valise-crl-revoked 1\nrubbish\nend\n", "valise-crl-revoked 1\n\nend\n" };
	char text[4096], *line;
	FILE *file;

	(void)state;
	note(1, 1, NOW + YEAR);
	note(2, 2, NOW + YEAR);
	assert_true(crl_history_save_revoked(history, directory, error));
	file = fopen(path, "r");
	text[fread(text, 1, sizeof text - 1, file)] = '\0';
	fclose(file);
	line = strchr(text, '\n') + 1;
	line[3] = '!';
	write_file(text);
	assert_false(start_again());
	assert_non_null(strstr(error, "damaged"));
	assert_false(has(1, 1));
	assert_true(has(2, 2));
	assert_true(crl_history_save_revoked(history, directory, error));
	assert_true(start_again());
	assert_true(has(2, 2));
	for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
		write_file(damaged[i]);
		assert_false(start_again());
	}
}

/* A disk that was full: nothing new need come for what it had no room for. */
static void
what_could_not_be_kept_is_tried_until_it_is(void **state)
{
	const struct crl_mark mark = { .issuer = { 3 }, .this_update = NOW };
	char numbers[80];

	(void)state;
	snprintf(numbers, sizeof numbers, "%s/crl-numbers", directory);
	note(1, 1, NOW + YEAR);
	assert_true(crl_history_note_mark(history, &mark));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(crl_history_save_revoked(history, "/nowhere", error), i > 0);
		assert_int_equal(crl_history_save_news(history, "/nowhere", error), i > 0);
	}
	assert_true(crl_history_save_revoked(history, directory, error));
	assert_true(crl_history_save_news(history, directory, error));
	assert_int_equal(unlink(numbers), 0);
	assert_true(crl_history_save_news(history, directory, error));
	assert_int_equal(access(numbers, F_OK), -1); /* there is nothing new */
	assert_true(start_again());
	assert_true(has(1, 1));
	note(1, 2, NOW + YEAR);
	assert_false(crl_history_save_revoked(history, "/nowhere", error));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(serials_outlive_a_restart),
		TEST(what_another_process_has_kept_is_merged),
		TEST(a_directory_that_is_not_there_is_told_once),
		TEST(what_could_not_be_kept_is_tried_until_it_is),
		TEST(when_it_is_full_the_heaviest_issuer_loses_what_ends_first),
		TEST(takes_what_it_can_of_a_damaged_file),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("crl_history", tests, NULL, NULL);
}
