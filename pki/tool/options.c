/* Reads command lines by their tables, with getopt_long, and prints --help from them. */
#include "pki/tool/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/program.h"
#include "base/units.h"
#include "pki/tool/message.h"

enum { ROWS_MOST = 48, HELP = 1, VERSION, FIRST_ROW = 256 };

static const struct option_row common_rows[] = {
	{ "ca", OPTION_TEXT, offsetof(struct common, ca), "DIR",
	    "the authority's directory (default: VALISE_CA)", 0 },
	{ "json", OPTION_FLAG, offsetof(struct common, json), NULL, "print JSON", 0 },
	{ "passphrase-file", OPTION_TEXT, offsetof(struct common, passphrase_file), "FILE",
	    "the CA keys' passphrase is the first line of FILE", 0 },
	{ "passphrase-fd", OPTION_NUMBER, offsetof(struct common, passphrase_fd), "N",
	    "... or the first line read from descriptor N", 1 << 20 },
	{ 0 }
};
/* What the program answers itself. */
static const struct option_row program_rows[] = {
	{ "help", OPTION_FLAG, 0, NULL, "this text", 0 },
	{ "version", OPTION_FLAG, 0, NULL, "the program's version", 0 },
	{ "list-commands", OPTION_FLAG, 0, NULL, "commands and options as a table, for programs",
	    0 },
	{ 0 },
};

static size_t
collect(const struct synopsis *usage, const struct option_row **rows)
{
	size_t count = 0;

	for (const struct option_row *row = usage->rows; row && row->name; row++)
		if (count < ROWS_MOST)
			rows[count++] = row;
	for (const struct option_row *row = common_rows; row->name; row++)
		if (count < ROWS_MOST)
			rows[count++] = row;
	return count;
}

static void
print_option(const struct option_row *row)
{
	char left[64];

	snprintf(left, sizeof left, "--%s%s%s", row->name, row->argument ? " " : "",
	    row->argument ? row->argument : "");
	printf("  %-26s %s\n", left, row->help);
}

static void
print_options(const struct option_row *rows)
{
	for (; rows->name; rows++)
		print_option(rows);
}

static void
print_help(const struct synopsis *usage)
{
	const struct option_row *rows[ROWS_MOST];
	size_t count = collect(usage, rows);

	printf("Usage: valise-pki %s%s%s [OPTION]...\n%s\n\n", usage->word,
	    *usage->operands ? " " : "", usage->operands, usage->summary);
	for (size_t i = 0; i < count; i++)
		print_option(rows[i]);
	printf("  %-26s %s\n", "--help", "this text");
}

void
options_print_synopsis(const struct synopsis *usage)
{
	int column = printf("\n%s%s%s", usage->word, *usage->operands ? " " : "", usage->operands);

	for (const struct option_row *row = usage->rows; row && row->name; row++) {
		int width = 4 + (int)strlen(row->name) +
		    (row->argument ? 1 + (int)strlen(row->argument) : 0);

		if (column + width > 79)
			column = printf("\n   ");
		column += printf(" [--%s%s%s]", row->name, row->argument ? " " : "",
		    row->argument ? row->argument : "");
	}
	printf("\n    %s\n", usage->summary);
}

void
options_print_common(void)
{
	printf("\nWith all of these:\n");
	print_options(common_rows);
	print_options(program_rows);
}

static void
list_rows(const char *word, const struct option_row *rows)
{
	for (; rows && rows->name; rows++)
		program_list_option(word, rows->name, 0, rows->argument, rows->help);
}

void
options_list_common(void)
{
	list_rows(NULL, common_rows);
	list_rows(NULL, program_rows);
}

void
options_list(const struct synopsis *usage)
{
	program_list_command(usage->word, usage->operands, usage->summary);
	list_rows(usage->word, usage->rows);
}

static bool
read_number(const char *text, int64_t most, int64_t *out)
{
	uint64_t number;

	if (!number_parse(text, &number) || number > (most ? (uint64_t)most : UINT64_C(1) << 53))
		return false;
	*out = (int64_t)number;
	return true;
}

static bool
store_value(const struct option_row *row, char *text, void *options)
{
	void *at = (char *)options + row->offset;
	struct texts *texts = at;
	int64_t number = 0;
	uint64_t span_ms = 0;

	switch (row->kind) {
	case OPTION_END:
		break;
	case OPTION_FLAG:
		*(bool *)at = true;
		return true;
	case OPTION_TEXT:
		*(const char **)at = text;
		return *text != '\0';
	case OPTION_TEXTS:
		if (texts->count == TEXTS_MOST || *text == '\0')
			return false;
		texts->at[texts->count++] = text;
		return true;
	case OPTION_NUMBER:
		if (!read_number(text, row->most, &number))
			return false;
		*(int64_t *)at = number + 1;
		return true;
	case OPTION_DAYS:
		if (!read_number(text, row->most ? row->most : 36500, &number) || number == 0)
			return false;
		*(int64_t *)at = number * 86400;
		return true;
	case OPTION_SPAN:
		if (!duration_parse(text, &span_ms) || span_ms < 1000)
			return false;
		*(int64_t *)at = (int64_t)(span_ms / 1000);
		return true;
	}
	return false;
}

static const char *
wanted(const struct option_row *row)
{
	switch (row->kind) {
	case OPTION_TEXTS:
		return "a value that is not empty, at most 64 times";
	case OPTION_NUMBER:
		return "a whole number in its range";
	case OPTION_DAYS:
		return "a whole number of days, 1 to 36500";
	case OPTION_SPAN:
		return "a time such as 30d, 12h or 90s";
	case OPTION_TEXT:
	case OPTION_FLAG:
	case OPTION_END:
		break;
	}
	return "a value that is not empty";
}

static size_t
fill_long_options(
    const struct synopsis *usage, const struct option_row **rows, struct option *long_options)
{
	size_t count = collect(usage, rows);

	for (size_t i = 0; i < count; i++)
		long_options[i] = (struct option){ rows[i]->name,
			rows[i]->kind == OPTION_FLAG ? no_argument : required_argument, NULL,
			FIRST_ROW + (int)i };
	long_options[count] = (struct option){ "help", no_argument, NULL, HELP };
	return count;
}

static bool
count_operands(const struct synopsis *usage, const struct operands *operands, int *code)
{
	if (operands->count < usage->least)
		*code = message_fail(EX_USAGE, "%s: %s is missing; see `valise-pki %s --help`",
		    usage->word, usage->operands, usage->word);
	else if (usage->most >= 0 && operands->count > usage->most)
		*code = message_fail(EX_USAGE,
		    "%s: '%s' is one operand too many; see `valise-pki %s --help`", usage->word,
		    operands->at[usage->most], usage->word);
	else
		return true;
	return false;
}

bool
options_read(const struct synopsis *usage, int argc, char **argv, void *options,
    struct operands *operands, int *code)
{
	const struct option_row *rows[ROWS_MOST];
	struct option long_options[ROWS_MOST + 2] = { 0 };
	int found;

	fill_long_options(usage, rows, long_options);
	optind = 0;
	opterr = 0;
	while ((found = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
		if (found == HELP) {
			print_help(usage);
			*code = 0;
			return false;
		}
		if (found < FIRST_ROW) {
			*code = message_fail(EX_USAGE, "%s: %s '%s'; see `valise-pki %s --help`",
			    usage->word,
			    found == ':' ? "no value follows"
					 : "no such option, or a value it does not take:",
			    argv[optind - 1], usage->word);
			return false;
		}
		const struct option_row *row = rows[found - FIRST_ROW];
		if (!store_value(row, optarg, options)) {
			*code = message_fail(EX_USAGE, "%s: --%s '%s': give %s", usage->word,
			    row->name, optarg ? optarg : "", wanted(row));
			return false;
		}
	}
	*operands = (struct operands){ argv + optind, argc - optind };
	return count_operands(usage, operands, code);
}

/* Their values are read when the command is known, by options_read(). */
enum options_found
options_find_word(int argc, char **argv)
{
	static const struct synopsis none = { 0 };
	const struct option_row *rows[ROWS_MOST];
	struct option long_options[ROWS_MOST + 3] = { 0 };
	size_t count = fill_long_options(&none, rows, long_options);
	int found;

	long_options[count + 1] = (struct option){ "version", no_argument, NULL, VERSION };
	optind = 0;
	opterr = 0;
	while ((found = getopt_long(argc, argv, "+:", long_options, NULL)) >= FIRST_ROW)
		continue;
	if (found == HELP || found == VERSION)
		return found == HELP ? OPTIONS_HELP : OPTIONS_VERSION;
	if (found != -1) {
		message_fail(EX_USAGE, "%s '%s' before the command; see `valise-pki --help`",
		    found == ':' ? "no value follows"
				 : "no such option, or a value it does not take:",
		    argv[optind - 1]);
		return OPTIONS_WRONG;
	}
	if (optind == argc)
		return OPTIONS_NO_WORD;
	char *word = argv[optind];
	memmove(argv + 2, argv + 1, (size_t)(optind - 1) * sizeof *argv);
	argv[1] = word;
	return OPTIONS_WORD;
}
