/* Command lines, right and wrong ones, against a table of commands. */
#include "base/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "helpers.h"

enum { ARGUMENTS_MOST = 12, TOLD = 16384 };
enum test_option { CONFIG, JSON, SORT, CRT, KEY, NAME, OPTIONS };

static const struct program_option serve_options[OPTIONS + 1] = {
	[CONFIG] = { "config", 'c', "FILE", "the configuration", NULL, false, false },
	[JSON] = { "json", 'j', NULL, "for programs", NULL, false, false },
	[SORT] = { "sort", 0, "age|bytes", "by this", NULL, false, false },
	[CRT] = { "crt", 0, "FILE", "a certificate", "key", false, true },
	[KEY] = { "key", 0, "FILE", "its key", "crt", false, true },
	[NAME] = { "name", 0, "NAME", "whose", NULL, false, false },
};
static const struct program_option make_options[] = {
	{ "name", 0, "NAME", "whose", NULL, true, false },
	{ 0 },
};
static const char *const wanted[] = { "WHERE it goes", NULL };
static const char *values[OPTIONS], *operand;
static char told[TOLD];
static int runs;

static int
on_serve(const struct program_command *command, int count, char **arguments)
{
	runs++;
	memset(values, 0, sizeof values);
	return program_read(command, count, arguments, values, NULL, NULL);
}

static int
on_make(const struct program_command *command, int count, char **arguments)
{
	runs++;
	memset(values, 0, sizeof values);
	operand = NULL;
	return program_read(command, count, arguments, values, wanted, &operand);
}

static const struct program_command commands[] = {
	{ "serve", "", "go on until told to stop", serve_options, on_serve },
	{ "make", "WHERE", "make one", make_options, on_make },
	{ 0 },
};
static const struct program program = { "test", "What a test needs.", "test(1)", commands };

/* The exit code; what it says, on either descriptor, is in `told`. */
static int
call(const char *line)
{
	static char name[] = "test", words[256]; /* the values are borrowed from these */
	char *arguments[ARGUMENTS_MOST + 1] = { name }, *rest = words, *word;
	FILE *kept = tmpfile();
	int count = 1, code, out = dup(1), err = dup(2);

	snprintf(words, sizeof words, "%s", line);
	while ((word = strsep(&rest, " ")) && count < ARGUMENTS_MOST)
		if (*word)
			arguments[count++] = word;
	fflush(stdout);
	dup2(fileno(kept), 1);
	dup2(fileno(kept), 2);
	runs = 0;
	code = program_main(&program, count, arguments);
	fflush(stdout);
	dup2(out, 1);
	dup2(err, 2);
	close(out);
	close(err);
	rewind(kept);
	told[fread(told, 1, sizeof told - 1, kept)] = '\0';
	fclose(kept);
	return code;
}

static void
options_stand_where_they_like(void **state)
{
	static const char *const lines[] = { "serve -c a.yml --sort=bytes -j", "serve -j --sort bytes -ca.yml",
		"-c a.yml serve --json --sort bytes", "--config=a.yml serve -j --sort bytes" };

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		assert_int_equal(call(lines[i]), 0);
		assert_int_equal(runs, 1);
		assert_string_equal(told, "");
		assert_string_equal(values[SORT], "bytes");
		assert_string_equal(values[JSON], "");
		assert_null(values[CRT]);
	}
	assert_int_equal(call("make --name x here"), 0);
	assert_int_equal(call("make here --name x"), 0);
}

static const struct {
	const char *line, *said;
	int code;
} wrong[] = {
	{ "", "test: which command? serve, make; see", EX_USAGE },
	{ "frobnicate", "no such command: frobnicate; see", EX_USAGE },
	{ "--frobnicate serve", "no such option before a command: --frobnicate", EX_USAGE },
	{ "-c", "a value is missing after -c", EX_USAGE },
	{ "serve -c", "a value is missing after -c", EX_USAGE },
	{ "serve --sort", "a value is missing after --sort", EX_USAGE },
	{ "serve --frobnicate", "no such option: --frobnicate", EX_USAGE },
	{ "serve -x", "no such option: -x", EX_USAGE },
	{ "serve --json --json", "--json is given twice", EX_USAGE },
	{ "serve --sort size", "--sort is one of age|bytes, and not size", EX_USAGE },
	{ "serve --sort ag", "--sort is one of age|bytes, and not ag", EX_USAGE },
	{ "serve --sort age|bytes", "--sort is one of age|bytes", EX_USAGE },
	{ "serve surplus", "one word too many: surplus", EX_USAGE },
	{ "serve --crt /dev/null", "--crt needs --key beside it", EX_USAGE },
	{ "serve --crt /nowhere --key /dev/null", "--crt /nowhere: No such file", EX_NOINPUT },
	{ "make here", "make: --name is missing", EX_USAGE },
	{ "make --name x", "make: give WHERE it goes", EX_USAGE },
	{ "make --name x here there", "one word too many: there", EX_USAGE },
};

static void
what_is_wrong_is_told_in_one_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		assert_int_equal(call(wrong[i].line), wrong[i].code);
		if (!strstr(told, wrong[i].said))
			fail_msg("'%s' says: %s", wrong[i].line, told);
		assert_ptr_equal(strchr(told, '\n'), told + strlen(told) - 1);
	}
}

static void
help_comes_from_the_table(void **state)
{
	static const char *const lines[] = { "--help", "-h", "serve --help", "serve surplus -h" };

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		assert_int_equal(call(lines[i]), 0);
		assert_int_equal(runs, 0);
		assert_non_null(strstr(told, "usage: test "));
		assert_non_null(strstr(told, "[--sort age|bytes]"));
	}
	assert_int_equal(call("make --help"), 0);
	assert_non_null(strstr(told, "make WHERE --name NAME\n    make one\n"));
	assert_int_equal(call("serve -- --help"), EX_USAGE);
	assert_int_equal(call("--version"), 0);
	assert_non_null(strstr(told, "test "));
}

static void
each_command_and_option_has_a_row(void **state)
{
	(void)state;
	assert_int_equal(call("--list-commands"), 0);
	assert_non_null(strstr(told, "program\ttest\tWhat a test needs.\n"));
	assert_non_null(strstr(told, "\noption\t-\thelp\th\t-\t"));
	assert_non_null(strstr(told, "\ncommand\tserve\t-\tgo on until told to stop\n"));
	assert_non_null(strstr(told, "\noption\tserve\tconfig\tc\tFILE\tthe configuration\n"));
	assert_non_null(strstr(told, "\noption\tserve\tjson\tj\t-\tfor programs\n"));
	assert_non_null(strstr(told, "\noption\tserve\tsort\t-\tage|bytes\tby this\n"));
	assert_non_null(strstr(told, "\ncommand\tmake\tWHERE\tmake one\n"));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(options_stand_where_they_like),
	cmocka_unit_test(what_is_wrong_is_told_in_one_line),
	cmocka_unit_test(help_comes_from_the_table),
	cmocka_unit_test(each_command_and_option_has_a_row),
};

RUN_TESTS("base/program", tests)
